using System.IO.Pipelines;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.States;

/// <summary>
/// A fixed bug: on a busy machine a response can lie in the server for a while before the kernel has it. The kernel then
/// says that nothing has travelled for as long as the request took, and the connection was hastened away with its answer.
/// </summary>
public sealed class BytesOnTheirWay
{
    private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(600);

    [Fact]
    public async Task A_response_that_the_kernel_does_not_have_yet_is_not_cut_off()
    {
        await using var app = await TestApp.StartAsync(
            options => options.QuietPeriod = TimeSpan.FromSeconds(1),
            listen => listen.Use(SlowOnItsWayOut),
            builder => builder.Logging.AddProvider(new SlowToFinish()));

        // Staggered, so that a look for quiet connections falls into the delay of at least one of them.
        var requests = Enumerable.Range(0, 3).Select(async i =>
        {
            using var client = await RawClient.ConnectAsync(app.Port);
            var response = await client.GetAsync($"/slow?ms={1500 + (300 * i)}");
            return (response.Text, response.IsTold);
        }).ToList();
        await Limits.Until(() => app.Log.Entries.Count(entry => entry.Text.StartsWith("Executing endpoint", StringComparison.Ordinal)) == 3, "three requests");
        await app.BeginDrainAsync();
        Assert.All(await Task.WhenAll(requests).Soon(), response => Assert.Equal(("ok, at last", true), response));
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    /// <summary>Holds back what the server writes, as a machine does that has no time for it.</summary>
    private static ConnectionDelegate SlowOnItsWayOut(ConnectionDelegate next) => async connection =>
    {
        var socket = connection.Transport;
        var held = new Pipe();
        connection.Transport = new Duplex(socket.Input, held.Writer);
        var sending = SendAsync(held.Reader, socket.Output);
        try
        {
            await next(connection);
        }
        finally
        {
            connection.Transport = socket;
            await held.Writer.CompleteAsync();
            await sending;
        }
    };

    private static async Task SendAsync(PipeReader from, PipeWriter to)
    {
        try
        {
            while (true)
            {
                var read = await from.ReadAsync();
                await Task.Delay(Delay);
                foreach (var segment in read.Buffer)
                {
                    await to.WriteAsync(segment);
                }

                from.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or ConnectionAbortedException)
        {
            // Cut off: the client sees it.
        }
    }

    /// <summary>Holds a request's thread when its response is complete and Kestrel has not ended its connection yet.</summary>
    private sealed class SlowToFinish : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (formatter(state, exception).StartsWith("Request finished", StringComparison.Ordinal))
            {
                Thread.Sleep(Delay);
            }
        }

        public void Dispose()
        {
        }
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
