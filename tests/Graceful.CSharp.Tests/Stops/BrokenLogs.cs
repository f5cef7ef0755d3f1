using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Stops;

/// <summary>A log that fails must not keep a server from leaving.</summary>
public sealed class BrokenLogs
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_log_that_throws_or_blocks_does_not_hold_the_way_out(bool blocks)
    {
        using var never = new ManualResetEventSlim();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().SetMinimumLevel(LogLevel.Trace).AddProvider(new Provider(never, blocks));
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddGraceful(options => options.OnDrained("fails", TimeSpan.FromSeconds(1), (_, _) => throw new InvalidOperationException()));
        await using var app = builder.Build();
        await app.StartAsync();
        Assert.True(await app.Services.GetRequiredService<IGraceful>().CloseAsync().Soon());
        Assert.Equal(1, (await app.Services.GetRequiredService<IGraceful>().Completion).ExitCode);
        await app.StopAsync().Soon();
        never.Set();
    }

    private sealed class Provider(ManualResetEventSlim never, bool blocks) : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => new Broken(never, categoryName == "Graceful", blocks);

        public void Dispose()
        {
        }
    }

    private sealed class Broken(ManualResetEventSlim never, bool isOurs, bool blocks) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => isOurs;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            // Asked for every category, whatever IsEnabled says: only our own words are to fail.
            if (!isOurs)
            {
                return;
            }

            if (!blocks)
            {
                throw new InvalidOperationException("The log is broken.");
            }

            never.Wait(TimeSpan.FromSeconds(30));
        }
    }
}
