using System.Globalization;

namespace Graceful.Probe.RudeServer;

// name=value words of the command line.
internal sealed class Settings
{
    private readonly Dictionary<string, string> values;

    public Settings(string[] args)
    {
        values = args.Select(arg => arg.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        Port = Number("port", 0);
        Clients = Number("clients", 0);
        Slow = Number("slow", 0);
        Streams = Number("streams", 1);
        Finally = Enum.Parse<Act>(values.GetValueOrDefault("finally", nameof(Act.AnswerAndTellToClose)));
        Exit = Number("exit", 0);
        Linger = Number("linger", 0);
        Every = Number("every", 0);
        Acts = [.. values.GetValueOrDefault("acts", "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(Enum.Parse<Act>)];
        OnSignal = values.GetValueOrDefault("on-signal", "drain");
        Protocol = values.GetValueOrDefault("protocol", "http1");
        Unix = values.GetValueOrDefault("unix");
        Tls = values.ContainsKey("tls");
        IdleEnd = values.TryGetValue("idle-end", out string? end) ? Enum.Parse<Act>(end) : null;
        Listen = values.GetValueOrDefault("listen", "yes") == "yes";
    }

    public int Port { get; }

    // How many closed-loop clients there are: once that many requests are held, nobody can be connecting.
    public int Clients { get; }

    // How many of the clients share a connection.
    public int Streams { get; }

    // How many slow requests must have come before the listener closes.
    public int Slow { get; }

    // What becomes of the held requests after the signal.
    public Act Finally { get; }

    public int Exit { get; }

    // Milliseconds between the last act and the exit.
    public int Linger { get; }

    // Before the signal, every so-many-th request is treated by the next of the acts.
    public int Every { get; }

    public IReadOnlyList<Act> Acts { get; }

    // drain; default (no handler at all); ignore; second (drain at the second signal).
    public string OnSignal { get; }

    public string Protocol { get; }

    // The path of the Unix socket; null for TCP.
    public string? Unix { get; }

    public bool Tls { get; }

    // What becomes of the connections that sit idle; null leaves them to the exit.
    public Act? IdleEnd { get; }

    public bool Listen { get; }

    private int Number(string name, int byDefault) =>
        values.TryGetValue(name, out string? value) ? int.Parse(value, CultureInfo.InvariantCulture) : byDefault;
}
