using System.Text.Json;

namespace Graceful.Probe;

// Everything, for a program to read.
internal static class JsonReport
{
    public static void Write(Stream stream, ProbeOptions options, IReadOnlyList<ServerSummary> servers, string? error, int exitStatus)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteNumber("format", 1);
        json.WriteStartObject("options");
        WriteOptions(json, options);
        json.WriteEndObject();
        json.WriteStartArray("servers");
        foreach (ServerSummary server in servers)
        {
            WriteServer(json, server);
        }
        json.WriteEndArray();
        json.WriteString("error", error);
        json.WriteNumber("exitStatus", exitStatus);
        json.WriteEndObject();
    }

    private static void WriteOptions(Utf8JsonWriter json, ProbeOptions options)
    {
        json.WriteNumber("runs", options.Runs);
        json.WriteNumber("keepAlive", options.KeepAlive);
        json.WriteNumber("connect", options.Connect);
        json.WriteNumber("idle", options.Idle);
        json.WriteNumber("slow", options.Slow);
        json.WriteString("path", options.Path);
        json.WriteString("slowPath", options.SlowPath);
        json.WriteNumber("thinkMs", options.Think.TotalMilliseconds);
        json.WriteString("protocol", options.Protocol.ToString().ToLowerInvariant());
        json.WriteBoolean("tls", options.Tls);
        json.WriteString("unix", options.Unix);
        json.WriteNumber("streams", options.Streams);
        json.WriteNumber("warmUpMs", options.WarmUp.TotalMilliseconds);
        json.WriteNumber("loadMs", options.Load.TotalMilliseconds);
        json.WriteString("signal", SignalNumber.Name(options.Signal));
        WriteNumberOrNull(json, "secondSignalAfterMs", options.SecondSignalAfter?.TotalMilliseconds);
        json.WriteNumber("limitMs", options.Limit.TotalMilliseconds);
        json.WriteNumber("requestLimitMs", options.RequestLimit.TotalMilliseconds);
        json.WriteNumber("connectLimitMs", options.ConnectLimit.TotalMilliseconds);
        json.WriteNumber("threads", options.Threads);
        json.WriteString("closeWith", options.CloseWith.ToString().ToLowerInvariant());
        json.WriteNumber("processors", Environment.ProcessorCount);
    }

    private static void WriteServer(Utf8JsonWriter json, ServerSummary server)
    {
        json.WriteStartObject();
        json.WriteString("label", server.Server.Label);
        json.WriteStartArray("command");
        foreach (string word in server.Server.Words)
        {
            json.WriteStringValue(word);
        }
        json.WriteEndArray();
        json.WriteStartObject("totals");
        json.WriteNumber("runs", server.Runs.Count);
        json.WriteNumber("failedRuns", server.FailedRuns);
        WriteCounts(json, "before", server.Before);
        WriteCounts(json, "after", server.After);
        WriteIdle(json, server.Runs.Sum(run => run.Tally.IdleOpened), server.IdleFin, server.IdleReset, server.IdleOpen);
        WriteSpread(json, "signalToExitMs", server.SignalToExit);
        WriteSpread(json, "lastByteToExitMs", server.LastByteToExit);
        WriteSpread(json, "requestsPerSecond", server.RequestsPerSecond);
        WriteSpread(json, "connectionsPerSecond", server.ConnectionsPerSecond);
        json.WriteStartObject("exits");
        foreach ((string exit, int count) in server.Exits)
        {
            json.WriteNumber(exit, count);
        }
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteStartArray("runs");
        foreach (RunResult run in server.Runs)
        {
            WriteRun(json, run);
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteRun(Utf8JsonWriter json, RunResult run)
    {
        json.WriteStartObject();
        json.WriteNumber("run", run.Run);
        json.WriteNumber("port", run.Port);
        json.WriteBoolean("failed", run.Failed);
        WriteCounts(json, "before", run.Before);
        WriteCounts(json, "after", run.After);
        json.WriteStartObject("clients");
        foreach (ClientKind kind in Enum.GetValues<ClientKind>())
        {
            json.WriteStartObject(JsonNamingPolicy.CamelCase.ConvertName(kind.ToString()));
            WriteCounts(json, "before", run.Tally.Of(kind, signalled: false));
            WriteCounts(json, "after", run.Tally.Of(kind, signalled: true));
            json.WriteEndObject();
        }
        json.WriteEndObject();
        WriteIdle(json, run.Tally.IdleOpened, run.Tally.IdleFin, run.Tally.IdleReset, run.Tally.IdleOpen);
        json.WriteNumber("slowInFlightAtSignal", run.SlowInFlightAtSignal);
        json.WriteNumber("requestsPerSecond", Rounded(run.RequestsPerSecond));
        json.WriteNumber("connectionsPerSecond", Rounded(run.ConnectionsPerSecond));
        json.WriteNumber("signalToExitMs", Rounded(run.SignalToExitMilliseconds));
        WriteNumberOrNull(json, "lastByteToExitMs", run.LastByteToExitMilliseconds);
        json.WriteStartObject("exit");
        WriteNumberOrNull(json, "code", run.Exit.Code);
        json.WriteString("signal", run.Exit.Signal is int signal ? SignalNumber.Name(signal) : null);
        json.WriteBoolean("killedByProbe", run.KilledByProbe);
        json.WriteEndObject();
        json.WriteStartObject("probeErrors");
        foreach ((string what, long count) in run.Tally.ProbeErrors)
        {
            json.WriteNumber(what, count);
        }
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteCounts(Utf8JsonWriter json, string name, Counts counts)
    {
        json.WriteStartObject(name);
        foreach (Outcome outcome in Enum.GetValues<Outcome>())
        {
            json.WriteNumber(JsonNamingPolicy.CamelCase.ConvertName(outcome.ToString()), counts[outcome]);
        }
        json.WriteStartObject("statuses");
        foreach ((int status, long count) in counts.Statuses)
        {
            json.WriteNumber(status.ToString(System.Globalization.CultureInfo.InvariantCulture), count);
        }
        json.WriteEndObject();
        json.WriteNumber("toldToClose", counts.ToldToClose);
        json.WriteEndObject();
    }

    private static void WriteIdle(Utf8JsonWriter json, long opened, long fin, long reset, long open)
    {
        json.WriteStartObject("idle");
        json.WriteNumber("opened", opened);
        json.WriteNumber("fin", fin);
        json.WriteNumber("rst", reset);
        json.WriteNumber("open", open);
        json.WriteEndObject();
    }

    private static void WriteSpread(Utf8JsonWriter json, string name, Spread? spread)
    {
        if (spread is null)
        {
            json.WriteNull(name);
            return;
        }
        json.WriteStartObject(name);
        json.WriteNumber("min", Rounded(spread.Min));
        json.WriteNumber("median", Rounded(spread.Median));
        json.WriteNumber("max", Rounded(spread.Max));
        json.WriteEndObject();
    }

    private static void WriteNumberOrNull(Utf8JsonWriter json, string name, double? number)
    {
        if (number is double value)
        {
            json.WriteNumber(name, Rounded(value));
        }
        else
        {
            json.WriteNull(name);
        }
    }

    private static double Rounded(double value) => Math.Round(value, 3);
}
