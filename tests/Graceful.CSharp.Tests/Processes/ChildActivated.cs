using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Processes;

/// <summary>As <see cref="ChildServer"/>, with what a service manager gave to the process.</summary>
internal static partial class ChildActivated
{
    /// <summary>The beginning of the kinds that are these.</summary>
    public const string Prefix = "activated";

    private static readonly string[] Variables = ["PATH", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"];

    public static async Task<int> RunAsync(string kind, string[] options)
    {
        if (kind == "activated-accepted-late")
        {
            // Opens the console, which is the client's still.
            await Console.Out.FlushAsync();
        }

        var builder = WebApplication.CreateSlimBuilder(options);
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Graceful", LogLevel.Information);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.AddGraceful(graceful =>
        {
            builder.Configuration.Bind(graceful);
            if (kind.StartsWith("activated-accepted", StringComparison.Ordinal))
            {
                graceful.UseAcceptedConnection(AcceptedConnection.Current);
            }
            else
            {
                graceful.UseSocketActivation();
            }
        });
        var app = builder.Build();
        app.MapGet("/", () => "ok");
        app.MapGet("/child", async () =>
        {
            using var child = Process.Start(new ProcessStartInfo("sh", ["-c", "env; ls -l /proc/self/fd"]) { RedirectStandardOutput = true })!;
            return await child.StandardOutput.ReadToEndAsync();
        });
        app.MapGet("/native", () => string.Join(' ', Variables.Where(name => Variable(name) != 0)));
        await app.RunAsync();
        return Environment.ExitCode;
    }

    [LibraryImport("libc", EntryPoint = "getenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Variable(string name);
}
