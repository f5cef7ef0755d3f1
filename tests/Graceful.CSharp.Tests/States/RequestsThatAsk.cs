using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Graceful.Tests.States;

public sealed class RequestsThatAsk
{
    [Fact]
    public async Task A_long_poll_ends_when_it_is_asked_to_finish()
    {
        await using var app = await TestApp.StartAsync(map: app => app.MapGet("/poll", async (HttpContext context) =>
        {
            var way = context.Graceful();
            await context.Response.WriteAsync($"{way.IsDraining} {way.TimeLeft is null}, ");
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, way.Stopping).ContinueWith(_ => { }, TaskScheduler.Default);
            await context.Response.WriteAsync($"{way.IsDraining} {way.TimeLeft < TimeSpan.FromSeconds(31)} {way.Aborting.IsCancellationRequested}");
        }));
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/poll");
        var head = await client.ReadHeadAsync();
        Assert.Equal(200, head.Status);
        Assert.Equal(0, (await app.LeaveAsync()).ExitCode);
        var (rest, _) = await client.ReadToEndAsync();
        Assert.Contains("False True, ", rest, StringComparison.Ordinal);
        Assert.Contains("True True False", rest, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_is_told_when_it_is_over()
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(
            options => options.GracePeriod = TimeSpan.FromSeconds(1),
            map: app => app.MapGet("/stubborn", async (HttpContext context) =>
            {
                using var told = context.Graceful().Aborting.Register(over.SetResult);
                begun.SetResult();
                await over.Task;
            }));
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/stubborn");
        await begun.Task.Soon("The request");
        Assert.Equal(2, (await app.LeaveAsync()).ExitCode);
        await over.Task.Soon("The news that it is over");
    }

    [Fact]
    public void A_feature_that_a_test_sets_comes_first_and_without_AddGraceful_it_says_what_is_missing()
    {
        var context = new DefaultHttpContext();
        var error = Assert.Throws<InvalidOperationException>(() => context.Graceful());
        Assert.Contains("AddGraceful", error.Message, StringComparison.Ordinal);
        var mine = new Mine();
        context.Features.Set<IGracefulFeature>(mine);
        Assert.Same(mine, context.Graceful());
    }

    private sealed class Mine : IGracefulFeature
    {
        public CancellationToken Stopping => CancellationToken.None;

        public CancellationToken Aborting => CancellationToken.None;

        public bool IsDraining => true;

        public TimeSpan? TimeLeft => null;
    }
}
