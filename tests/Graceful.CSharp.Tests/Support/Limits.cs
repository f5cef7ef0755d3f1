namespace Graceful.Tests.Support;

/// <summary>How long anything may take before a test calls it hung. Generous: the machine may be busy.</summary>
internal static class Limits
{
    public static readonly TimeSpan Hang = TimeSpan.FromSeconds(20);

    public static async Task<T> Soon<T>(this Task<T> task, string what = "This")
    {
        await ((Task)task).Soon(what);
        return await task;
    }

    public static async Task Soon(this Task task, string what = "This")
    {
        try
        {
            await task.WaitAsync(Hang);
        }
        catch (TimeoutException) when (!task.IsCompleted)
        {
            throw new TimeoutException($"{what} did not come within {Hang.TotalSeconds} s.");
        }
    }

    /// <summary>Waits for a condition that nobody announces.</summary>
    public static async Task Until(Func<bool> holds, string what)
    {
        var end = Environment.TickCount64 + (long)Hang.TotalMilliseconds;
        while (!holds())
        {
            if (Environment.TickCount64 > end)
            {
                throw new TimeoutException($"Never came true: {what}.");
            }

            await Task.Delay(5);
        }
    }
}
