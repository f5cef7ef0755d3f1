using Graceful.Tests.Trackers;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Processes;

/// <summary>As <see cref="ChildServer"/>, with a server that is not ours and a <see cref="GracefulLifecycle"/>.</summary>
internal static class ChildTracked
{
    /// <summary>The beginning of the kinds that are these.</summary>
    public const string Prefix = "tracked";

    public static async Task<int> RunAsync(string kind, string[] arguments)
    {
        var configuration = new ConfigurationBuilder().AddCommandLine(arguments).Build();
        using var loggers = LoggerFactory.Create(logging => logging.AddConsole());
        await using var lifecycle = GracefulLifecycle.Start(
            options =>
            {
                configuration.Bind(options);
                options.OnStopping("first", TimeSpan.FromSeconds(5), (_, _) => Say("HOOK first"));
                options.OnDrained("last", TimeSpan.FromSeconds(5), (_, _) =>
                {
                    Say("HOOK last");
                    if (kind == "tracked-failing-hook")
                    {
                        throw new InvalidOperationException("disk full");
                    }
                });
            },
            loggers);
        if (kind == "tracked-late-hook")
        {
            lifecycle.OnDrained("late", TimeSpan.FromMinutes(1), (_, _) => Say("HOOK late"));
        }

        await using var server = new ForeignServer(lifecycle);
        Say($"LISTENING {server.Port}");
        if (kind == "tracked-not-ready")
        {
            await Console.In.ReadLineAsync();
        }

        lifecycle.Ready();
        await lifecycle.Completion;
        Say("COMPLETED");
        if (kind == "tracked-lingers")
        {
            // The way out is over, the process is not.
            await Task.Delay(Timeout.Infinite, CancellationToken.None);
        }

        return Environment.ExitCode;
    }

    private static void Say(string word)
    {
        Console.Out.WriteLine(word);
        Console.Out.Flush();
    }
}
