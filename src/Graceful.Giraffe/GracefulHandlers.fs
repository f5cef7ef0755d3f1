namespace Graceful.Giraffe

open System
open System.Threading
open System.Threading.Tasks
open Graceful
open Microsoft.AspNetCore.Diagnostics.HealthChecks
open Microsoft.AspNetCore.Http
open Microsoft.Extensions.DependencyInjection
open Microsoft.Extensions.Diagnostics.HealthChecks
open Microsoft.Extensions.Options

/// <summary>Handlers for a Giraffe pipeline. They find the application's services at its first request, and keep them.</summary>
[<AutoOpen>]
module GracefulHandlers =

    let private refuse (retryAfter: TimeSpan) (context: HttpContext) : HandlerShape.HttpFuncResult =
        task {
            context.Response.StatusCode <- StatusCodes.Status503ServiceUnavailable
            context.Response.Headers.RetryAfter <- string (int64 (ceil retryAfter.TotalSeconds))
            context.Response.ContentType <- "text/plain; charset=utf-8"
            do! context.Response.WriteAsync "The server is leaving. Please try again."
            return Some context
        }

    /// <summary>
    /// Put it in front of a pipeline: the same as <c>useGraceful</c>, and says how requests are answered that come when the way out
    /// has begun, with the functions of <c>LateRequests</c>.
    /// </summary>
    /// <example>
    /// <code>
    /// useGracefulWith (refuseLate (TimeSpan.FromSeconds 5.0) &gt;&gt; exceptPath "/health") &gt;=&gt; choose [ ... ]
    /// </code>
    /// </example>
    /// <param name="configure">Changes the policy; <c>id</c> keeps the default, which serves late requests.</param>
    /// <returns>The handler. Its request fails with an InvalidOperationException when AddGraceful was not called.</returns>
    let useGracefulWith (configure: LatePolicy -> LatePolicy) : HandlerShape.HttpHandler =
        let policy = configure LatePolicy.Serve

        fun next ->
            let graceful = Once(Application.graceful "useGraceful")

            match policy.RetryAfter with
            | ValueNone ->
                fun context ->
                    graceful.For context |> ignore
                    next context
            | ValueSome retryAfter ->
                fun context ->
                    if (graceful.For context).IsStopping && policy.Refuses context then
                        refuse retryAfter context
                    else
                        next context

    /// <summary>
    /// Put it in front of a pipeline whose builder called AddGraceful, which tracks every request, on whatever server, and marks the
    /// last response of every connection. This handler sees to it that this was not forgotten, and serves late requests like all others.
    /// </summary>
    /// <example>
    /// <code>
    /// let webApp = useGraceful &gt;=&gt; choose [ route "/" &gt;=&gt; text "ok" ]
    /// </code>
    /// </example>
    /// <remarks>A request fails with an InvalidOperationException that names the missing call when AddGraceful was not called.</remarks>
    let useGraceful: HandlerShape.HttpHandler = useGracefulWith id

    let private health who (tag: string) : HandlerShape.HttpHandler =
        let checks =
            Options.Create(HealthCheckOptions(Predicate = fun check -> check.Tags.Contains tag))

        let nobody = RequestDelegate(fun _ -> Task.CompletedTask)

        // The drain asks a request's endpoint, which a handler has not: routing knows nothing of it.
        let uncounted = Endpoint(null, EndpointMetadataCollection(DrainAttribute DrainMode.NotCounted), who)

        fun _ ->
            let middleware =
                Once(fun context ->
                    Application.graceful who context |> ignore
                    HealthCheckMiddleware(nobody, checks, context.RequestServices.GetRequiredService<HealthCheckService>()))

            fun context ->
                task {
                    let middleware = middleware.For context

                    if isNull (context.GetEndpoint()) then
                        context.SetEndpoint uncounted

                    do! middleware.InvokeAsync context
                    return Some context
                }

    /// <summary>
    /// Answers whether the server may be sent requests, as <c>MapGracefulHealth</c> does: it runs the health checks tagged <c>ready</c>, of which
    /// Graceful's own fails from the first moment of the way out. 503 and <c>Unhealthy</c> then, 200 and <c>Healthy</c> while all hold. The drain
    /// does not count such a request, see <see cref="F:Graceful.DrainMode.NotCounted"/>; an endpoint that serves it says that itself, with <c>WithDrain</c>.
    /// </summary>
    /// <example>
    /// <code>
    /// route "/health/ready" &gt;=&gt; readiness
    /// </code>
    /// </example>
    /// <remarks>A request fails with an InvalidOperationException that names the missing call when AddGraceful was not called.</remarks>
    let readiness: HandlerShape.HttpHandler = health "readiness" "ready"

    /// <summary>
    /// Answers whether the server lives, as <c>MapGracefulHealth</c> does: it runs the health checks tagged <c>live</c>, of which there is none at
    /// first, so that it holds, with 200 and <c>Healthy</c>, until the listeners close. Who fails liveness is killed: keep it in front of
    /// <c>refuseLate</c>, or except its path. The drain does not count such a request, as with <c>readiness</c>.
    /// </summary>
    /// <example>
    /// <code>
    /// route "/health/live" &gt;=&gt; liveness
    /// </code>
    /// </example>
    /// <remarks>A request fails with an InvalidOperationException that names the missing call when AddGraceful was not called.</remarks>
    let liveness: HandlerShape.HttpHandler = health "liveness" "live"

    /// <summary>
    /// Fires when the way out begins: a request that may take long, a poll or a stream, finishes then. It is the server's own token, the
    /// same for every request, and safe to use from any thread; <c>context.Graceful()</c> tells more.
    /// </summary>
    /// <example>
    /// <code>
    /// let events: HttpHandler =
    ///     fun next ctx -&gt;
    ///         task {
    ///             let! event = nextEvent (stoppingToken ctx)
    ///             return! text event next ctx
    ///         }
    /// </code>
    /// </example>
    /// <param name="context">The request.</param>
    /// <exception cref="T:System.InvalidOperationException">AddGraceful was not called.</exception>
    let stoppingToken (context: HttpContext) : CancellationToken = context.Graceful().Stopping
