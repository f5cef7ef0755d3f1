using Graceful.Core;

namespace Graceful.Engine;

/// <summary>What one sweep of the drain knows when it looks at requests.</summary>
/// <param name="Now">When it looks.</param>
/// <param name="QuietPeriod">The user's.</param>
/// <param name="DrainingFor">Since when it drains.</param>
/// <param name="AnybodyMust">Whether a request or work somewhere must finish.</param>
internal readonly record struct DrainLook(Instant Now, TimeSpan QuietPeriod, TimeSpan DrainingFor, bool AnybodyMust)
{
    public (RequestVerdict Verdict, TimeSpan Again) Judge(in HeldRequestFacts request)
    {
        var (verdict, again) = Request.judge(QuietPeriod, DrainingFor, request.Age, AnybodyMust, request.Policy);
        return (verdict, again);
    }

    public (RequestVerdict Verdict, TimeSpan Again) Judge(RequestCut cut)
    {
        var (verdict, again) = Request.judgeCutOff(Now - cut.At);
        return (verdict, again);
    }
}
