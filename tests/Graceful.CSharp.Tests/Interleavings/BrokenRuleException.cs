namespace Graceful.Tests.Interleavings;

/// <summary>A round broke a rule.</summary>
internal sealed class BrokenRuleException(string message) : Exception(message)
{
    public static void Unless(bool holds, string rule)
    {
        if (!holds)
        {
            throw new BrokenRuleException(rule);
        }
    }
}
