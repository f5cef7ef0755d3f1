using Graceful.Core;
using Graceful.Engine;
using Graceful.Kestrel;
using Graceful.Tests.Interleavings;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Graceful.Tests.Drains;

/// <summary>A cut and the end of its request, step by step; <see cref="CutRaces"/> has them in any order.</summary>
public sealed class Cuts
{
    private static readonly DrainLook Look = new(Instant.NewInstant(0), TimeSpan.Zero, TimeSpan.FromHours(1), AnybodyMust: true);

    [Theory]
    [InlineData("HTTP/1.1")]
    [InlineData("HTTP/2")]
    public async Task A_request_that_ends_while_it_is_cut_off_keeps_its_context_until_that_is_over(string protocol)
    {
        using var engine = new LifecycleEngine(new GracefulOptions(), NullLogger.Instance);
        using var begun = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        var connection = new KestrelConnection(engine, new DefaultConnectionContext("cut"));
        var request = new HandmadeRequest(connection, protocol)
        {
            Aborted = _ =>
            {
                begun.Set();
                goOn.Wait(Limits.Hang);
            },
        };
        request.Begin(1, new Endpoint(null, new EndpointMetadataCollection(new DrainAttribute(DrainMode.AbortAtOnce)), null));
        connection.Apply(ConnectionEvent.Retire);
        var sweep = Task.Run(() => connection.SweepRequests(Look), TestContext.Current.CancellationToken);
        Assert.True(begun.Wait(Limits.Hang, TestContext.Current.CancellationToken));
        var end = request.EndAsync();
        Assert.False(end.IsCompleted);
        Assert.Equal(1, ConnectionModule.inFlight(connection.Now));
        goOn.Set();
        await sweep.Soon();
        await end.Soon("The end of the request");
        Assert.Equal(0, ConnectionModule.inFlight(connection.Now));
        Assert.Equal((0, 1), (engine.Figures.RequestsFinished, engine.Figures.RequestsLetGo));
        connection.SweepRequests(Look);
        Assert.Equal(1, request.Aborts);
    }

    [Theory]
    [InlineData("HTTP/1.1")]
    [InlineData("HTTP/2")]
    public async Task The_next_request_on_the_context_of_one_that_was_cut_off_is_not(string protocol)
    {
        using var engine = new LifecycleEngine(new GracefulOptions(), NullLogger.Instance);
        var connection = new KestrelConnection(engine, new DefaultConnectionContext("cut"));
        var request = new HandmadeRequest(connection, protocol);
        request.Begin(1, new Endpoint(null, new EndpointMetadataCollection(new DrainAttribute(DrainMode.AbortAtOnce)), null));
        connection.Apply(ConnectionEvent.Retire);
        connection.SweepRequests(Look);
        Assert.Equal(1, request.Aborts);
        await request.EndAsync().Soon();
        request.Begin(2, endpoint: null);
        connection.SweepRequests(Look with { Now = Instant.NewInstant(TimeSpan.TicksPerHour) });
        Assert.Equal(1, request.Aborts);
        Assert.Equal(1, ConnectionModule.inFlight(connection.Now));
        await request.EndAsync().Soon();
        Assert.Equal((1, 1), (engine.Figures.RequestsFinished, engine.Figures.RequestsLetGo));
    }
}
