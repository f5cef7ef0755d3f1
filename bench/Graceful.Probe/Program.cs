using System.Runtime.InteropServices;

namespace Graceful.Probe;

internal static class Program
{
    public static int Main(string[] args)
    {
        if (!OperatingSystem.IsLinux())
        {
            Console.Error.WriteLine("Graceful.Probe: it needs Linux (epoll, waitid, many loopback addresses)");
            return 2;
        }
        if (CommandLine.Read(args, out int status) is not ProbeOptions options)
        {
            return status;
        }
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);

        // With the JSON on standard output, what people read goes to standard error.
        TextWriter people = options.Json == "-" ? Console.Error : Console.Out;
        var report = new TextReport(people, options);
        var comparison = new Comparison(options, report);
        comparison.Run();
        if (comparison.Summaries.Any(server => server.Runs.Count > 0))
        {
            report.Table(comparison.Summaries);
        }
        if (options.ShowOutput)
        {
            report.Output(comparison.Summaries);
        }
        if (comparison.Error is string error)
        {
            Console.Error.WriteLine($"Graceful.Probe: {error}");
        }
        return WriteJson(options, comparison) ? comparison.ExitStatus : 2;
    }

    private static bool WriteJson(ProbeOptions options, Comparison comparison)
    {
        if (options.Json is null)
        {
            return true;
        }
        try
        {
            using Stream stream = options.Json == "-" ? Console.OpenStandardOutput() : File.Create(options.Json);
            JsonReport.Write(stream, options, comparison.Summaries, comparison.Error, comparison.ExitStatus);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"Graceful.Probe: --json: '{options.Json}' cannot be written: {e.Message}");
            return false;
        }
    }

    // Whoever ends the probe ends the server that it started.
    private static void End(PosixSignalContext context)
    {
        Trial.KillRunning();
        Environment.Exit(128 + (context.Signal == PosixSignal.SIGINT ? 2 : 15));
    }
}
