namespace Graceful.Giraffe

open System
open Microsoft.AspNetCore.Http

/// <summary>
/// How requests are answered that come when the way out has begun. Made by the functions of <c>LateRequests</c>, which
/// <c>&gt;&gt;</c> joins; see <c>useGracefulWith</c>.
/// </summary>
[<Sealed>]
type LatePolicy internal (retryAfter: TimeSpan voption, exceptions: (HttpContext -> bool) list) =

    static member internal Serve = LatePolicy(ValueNone, [])

    member internal _.RetryAfter = retryAfter

    member internal _.Exceptions = exceptions

    member internal _.Refuses context =
        retryAfter.IsSome && not (exceptions |> List.exists (fun isException -> isException context))

/// <summary>Functions that <c>useGracefulWith</c> takes, joined by <c>&gt;&gt;</c>.</summary>
[<AutoOpen>]
module LateRequests =

    let private most = TimeSpan.FromDays 1.0

    /// <summary>
    /// Late requests are served like all others; this is the default. Nothing is lost by it: clients are told on their
    /// responses to go elsewhere.
    /// </summary>
    /// <param name="policy">What was said before.</param>
    let serveLate (policy: LatePolicy) = LatePolicy(ValueNone, policy.Exceptions)

    /// <summary>
    /// Late requests are answered with 503 and <c>Retry-After</c>, from the first moment of the way out, the lame duck included. It is for
    /// servers behind a proxy that tries elsewhere then, and for work too dear to be begun now.
    /// </summary>
    /// <param name="retryAfter">When to try again; between zero and one day, sent in whole seconds and rounded up.</param>
    /// <param name="policy">What was said before.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">The time is out of its bounds.</exception>
    let refuseLate (retryAfter: TimeSpan) (policy: LatePolicy) =
        if retryAfter < TimeSpan.Zero || retryAfter > most then
            raise (
                ArgumentOutOfRangeException(
                    nameof retryAfter,
                    retryAfter,
                    $"refuseLate was given {retryAfter}; allowed is between zero and {most}."
                )
            )

        LatePolicy(ValueSome retryAfter, policy.Exceptions)

    /// <summary>
    /// Serves the late requests for which this holds, whatever <c>refuseLate</c> says. It is asked for late requests only, on the
    /// request's own thread.
    /// </summary>
    /// <param name="holds">Whether the request is to be served.</param>
    /// <param name="policy">What was said before.</param>
    let exceptWhen (holds: HttpContext -> bool) (policy: LatePolicy) =
        LatePolicy(policy.RetryAfter, policy.Exceptions @ [ holds ])

    /// <summary>
    /// Serves late requests for a path and all below it, whatever <c>refuseLate</c> says: probes of health, for which <c>liveness</c>
    /// must hold to the end. Segments are compared, without regard to case.
    /// </summary>
    /// <param name="path">The path; it begins with a slash, as in <c>/health</c>.</param>
    /// <param name="policy">What was said before.</param>
    /// <exception cref="T:System.ArgumentException">The path does not begin with a slash.</exception>
    let exceptPath (path: string) (policy: LatePolicy) =
        if isNull (box path) || not (path.StartsWith('/')) then
            raise (ArgumentException($"exceptPath was given '{path}'; allowed is a path that begins with a slash.", nameof path))

        let below = PathString(path.TrimEnd '/')
        exceptWhen (fun context -> context.Request.Path.StartsWithSegments below) policy
