using System.Reflection;
using Graceful.Core;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Graceful.Tests.Drains;

/// <summary>Where it is said what the drain owes a request, and what comes of words that can't be.</summary>
public sealed class Declared
{
    [Fact]
    public async Task The_nearest_word_counts_and_without_one_a_request_must_finish()
    {
        await using var app = TestApp.Make(map: app =>
        {
            app.MapGet("/silent", () => "");
            app.MapGet("/attribute", [Drain(seconds: 0.5)] () => "");
            app.MapGet("/both", [Drain(DrainMode.ToldOnly)] () => "").WithDrain(DrainMode.AbortAtOnce);
            var group = app.MapGroup("/group").WithDrain(DrainMode.ToldOnly);
            group.MapGet("/silent", () => "");
            group.MapGet("/attribute", [Drain(DrainMode.MustFinish)] () => "");
            group.MapGet("/own", () => "").WithDrain(TimeSpan.FromSeconds(10));
            group.MapGroup("/inner").WithDrain(DrainMode.AbortAtOnce).MapGet("/silent", () => "");
            app.MapGracefulHealth();
            app.MapGracefulHealth("/readyz", "/livez").WithDrain(DrainMode.MustFinish);
        });
        var policies = Policies(app);
        Assert.Equal(DrainPolicy.MustFinish, policies["/silent"]);
        Assert.Equal(DrainPolicy.NewWithin(TimeSpan.FromMilliseconds(500)), policies["/attribute"]);
        Assert.Equal(DrainPolicy.AbortAtOnce, policies["/both"]);
        Assert.Equal(DrainPolicy.ToldOnly, policies["/group/silent"]);
        Assert.Equal(DrainPolicy.MustFinish, policies["/group/attribute"]);
        Assert.Equal(DrainPolicy.NewWithin(TimeSpan.FromSeconds(10)), policies["/group/own"]);
        Assert.Equal(DrainPolicy.AbortAtOnce, policies["/group/inner/silent"]);
        Assert.Equal((DrainPolicy.NotCounted, DrainPolicy.NotCounted), (policies["/health/ready"], policies["/health/live"]));
        Assert.Equal((DrainPolicy.MustFinish, DrainPolicy.MustFinish), (policies["/readyz"], policies["/livez"]));
    }

    [Fact]
    public async Task Of_a_controller_an_actions_own_word_counts()
    {
        await using var app = TestApp.Make(
            build: builder => builder.Services.AddControllers().AddApplicationPart(typeof(StreamsController).Assembly),
            map: app => app.MapControllers());
        var policies = Policies(app);
        Assert.Equal(DrainPolicy.ToldOnly, policies["streams"]);
        Assert.Equal(DrainPolicy.NewWithin(TimeSpan.FromSeconds(3)), policies["streams/short"]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(86_400.1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void A_limit_out_of_its_bounds_is_refused_with_what_is_allowed(double seconds)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => new DrainAttribute(seconds));
        Assert.Contains("more than 0 and at most 86400 s, a day", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(86_400_001)]
    public async Task So_is_one_in_code(int milliseconds)
    {
        await using var app = WebApplication.CreateSlimBuilder().Build();
        var endpoint = app.MapGet("/", () => "");
        var limit = TimeSpan.FromMilliseconds(milliseconds);
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => endpoint.WithDrain(limit));
        Assert.Contains($"The drain limit is {limit.TotalSeconds} s; allowed is more than 0 and at most 86400 s, a day", error.Message, StringComparison.Ordinal);
        Assert.Same(endpoint, endpoint.WithDrain(TimeSpan.FromTicks(1)).WithDrain(TimeSpan.FromDays(1)));
    }

    [Fact]
    public void A_mode_that_there_is_not_is_refused_with_those_that_there_are()
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => new DrainAttribute((DrainMode)7));
        Assert.Contains("The drain mode is 7; allowed are MustFinish, ToldOnly, AbortAtOnce, NotCounted", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_attribute_that_can_not_be_fails_when_the_endpoints_are_built()
    {
        await using var app = TestApp.Make(map: app => app.MapGet("/wrong", [Drain(seconds: -1)] () => ""));
        var error = Assert.ThrowsAny<Exception>(() => Policies(app));
        Assert.Contains("The drain limit is -1 s; allowed is more than 0", (error as TargetInvocationException)?.InnerException?.Message ?? error.Message, StringComparison.Ordinal);
    }

    private static Dictionary<string, DrainPolicy> Policies(TestApp app) => ((IEndpointRouteBuilder)app.Host).DataSources
        .SelectMany(source => source.Endpoints)
        .OfType<RouteEndpoint>()
        .ToDictionary(
            endpoint => endpoint.RoutePattern.RawText!,
            endpoint =>
            {
                var context = new DefaultHttpContext();
                context.SetEndpoint(endpoint);
                return new Graceful.Engine.HeldRequestFacts("", context, 0).Policy;
            });
}
