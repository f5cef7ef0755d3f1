using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Stops;

/// <summary>A log that fails must not keep a server from leaving.</summary>
public sealed class BrokenLogs
{
    public enum Manner
    {
        Throws,
        Blocks,

        /// <summary>Throws when it is asked whether it wants to hear.</summary>
        ThrowsWhenAsked,
    }

    [Theory]
    [InlineData(Manner.Throws)]
    [InlineData(Manner.Blocks)]
    [InlineData(Manner.ThrowsWhenAsked)]
    public async Task A_log_that_throws_or_blocks_does_not_hold_the_way_out(Manner manner)
    {
        using var never = new ManualResetEventSlim();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().SetMinimumLevel(LogLevel.Trace).AddProvider(new Provider(never, manner));
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddGraceful(options => options.OnDrained("fails", TimeSpan.FromSeconds(1), (_, _) => throw new InvalidOperationException()));
        await using var app = builder.Build();
        await app.StartAsync();
        Assert.True(await app.Services.GetRequiredService<IGraceful>().CloseAsync().Soon());
        Assert.Equal(1, (await app.Services.GetRequiredService<IGraceful>().Completion).ExitCode);
        await app.StopAsync().Soon();
        never.Set();
    }

    private sealed class Provider(ManualResetEventSlim never, Manner manner) : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => new Broken(never, categoryName == "Graceful", manner);

        public void Dispose()
        {
        }
    }

    private sealed class Broken(ManualResetEventSlim never, bool isOurs, Manner manner) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) =>
            isOurs && (manner != Manner.ThrowsWhenAsked ? true : throw new InvalidOperationException("The log is broken."));

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            // Asked for every category, whatever IsEnabled says: only our own words are to fail.
            if (!isOurs)
            {
                return;
            }

            if (manner != Manner.Blocks)
            {
                throw new InvalidOperationException("The log is broken.");
            }

            never.Wait(TimeSpan.FromSeconds(30));
        }
    }
}
