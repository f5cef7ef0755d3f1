using System.CommandLine;
using System.CommandLine.Help;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Graceful.Probe;

// The options: what they are called, what they mean, what they allow. Values are read as text and checked here, so that
// every error names the option, its value and what is allowed.
internal sealed partial class CommandLine
{
    private const string About = """
        How graceful is a server? Starts it on a loopback port, loads it, signals it, and says what became of every request.

        A server is any command; {port} in it (or in --env) is replaced by a free port. It must listen on 127.0.0.1
        and be the process itself, no wrapper: the signal goes to it alone, and its exit ends the run.
          Graceful.Probe --keep-alive 64 --connect 64 --idle 500 -- dotnet Hello.dll --port {port}
          Graceful.Probe --server "plain=dotnet Hello.dll --plain --port {port}" \
                         --server "graceful=dotnet Hello.dll --port {port}" --runs 20 --expect-clean graceful

        What can become of a request:
          ok               a complete 200 answer; other statuses are counted one by one
          refused          refused before the handshake completed: safe, the client may go elsewhere
          connect-timeout  the handshake did not complete in time: safe, but slow
          closed-idle      a kept connection seen to be closed before a byte of the next request was sent: safe
          lost-new         sent on a fresh connection, cut off without a byte of an answer
          lost-reused      the same on a kept connection
          truncated        cut off within the answer
          malformed        the answer is not what the protocol says
          unanswered       no complete answer within --request-limit
          crossed          WebSocket only, see there
          unprocessed      HTTP/2 only: the server said that it did nothing for the request, so HttpClient repeats it: safe

        What that is in each protocol:
          http1      A request and its answer, to the last byte that its framing announces.
          http2      .NET's HttpClient, by prior knowledge or ALPN; --streams keep-alive clients share one connection. A stream behind the last
                     of a GOAWAY, or refused (REFUSED_STREAM), is unprocessed, each time: HttpClient repeats it by itself. RST_STREAM or a closed
                     connection before the head: lost; behind it: truncated. A request that HttpClient hands to a connection which has just
                     ended, and so never sends, is none. A connection told by GOAWAY is in the column told.
          fastcgi    Keep-alive clients set FCGI_KEEP_CONN, the others do not. Complete is an answer with its END_REQUEST, and as long as its
                     Content-Length: anything less is truncated, without a byte lost. A status below 100 is that of an END_REQUEST which
                     accepted nothing: 1 can't multiplex, 2 overloaded, 3 unknown role.
          websocket  An echo: a request is a message, answered when the same message comes back. A Close with 1000, 1001 or 1012 between messages,
                     while the client awaits nothing, is closed-idle; one that meets a message on the wire (sent at most 100 ms before it) is
                     crossed: told, and not a failure, since no server can answer behind its Close. An older message without an answer is lost,
                     and so is a connection that ends with another code or with no Close, also an idle one. Within a frame or message: truncated.
          sse        A request is a whole stream, held by the keep-alive clients until the server ends it: ok when it ends as its framing says (the
                     last chunk) and between two records, else truncated. The other clients (--connect) leave at the first record.

        Exit status: 0 clean; 1 something was lost, truncated, malformed or unanswered, or a server did not exit within
        --limit; 2 bad usage, a server that never came up, or an error of the probe itself. Linux only.
        """;

    private static readonly string[] Closes = ["fin", "reset"];
    private static readonly string[] Protocols = ["http1", "http2", "fastcgi", "websocket", "sse"];

    // As much as the kernel takes, without the zero at the end.
    private const int UnixPathLimit = 107;

    private readonly List<string> errors = [];
    private readonly RootCommand root = new(About);
    private readonly Option<string[]> servers;
    private readonly Option<string[]> environment;
    private readonly Option<string[]> expectClean;
    private readonly Option<bool> tls;
    private readonly Option<bool> showOutput;
    private readonly Option<bool> quiet;
    private readonly Dictionary<string, Option<string>> texts = [];

    public CommandLine()
    {
        servers = Many("--server", "[LABEL=]COMMAND", "A server to probe; repeat it to compare servers. One server may instead be the words after --.");
        AddText("--runs", "N", "1", "Runs per server; the servers take turns.");
        AddText("--keep-alive", "N", "64", "Clients that send one request after another on a kept connection.");
        AddText("--think", "TIME", "0", "Pause of a keep-alive client between an answer and its next request.");
        AddText("--connect", "N", "64", "Clients that open a new connection for every request.");
        AddText("--idle", "N", "0", "Connections that make one request and then sit idle.");
        AddText("--slow", "N", "0", "Slow requests in flight when the signal comes.");
        AddText("--path", "PATH", "/", "What is asked for.");
        AddText("--slow-path", "PATH", "/slow?ms=1700", "What the slow requests ask for.");
        AddText("--protocol", "NAME", "http1", "What the clients speak: http1, http2, fastcgi, websocket or sse.");
        AddText("--unix", "PATH", null, "Connect to this Unix socket; {port} in it is replaced by a number of its own, as in the command.");
        AddText("--streams", "N", "8", "Keep-alive clients that share a connection, with --protocol http2.");
        tls = Flag("--tls", "The same over TLS; any certificate is accepted.");
        AddText("--warm-up", "TIME", "1s", "Load before anything is measured.");
        AddText("--load", "TIME", "2s", "Load that is measured, before the signal.");
        AddText("--slow-lead", "TIME", "250ms", "How long before the signal the slow requests are sent.");
        AddText("--signal", "NAME", "SIGTERM", "The signal, by name or number.");
        AddText("--second-signal-after", "TIME", null, "Send the signal once more if the server is still there after this time.");
        AddText("--limit", "TIME", "60s", "How long the server may take to exit; then it is killed.");
        AddText("--ready-limit", "TIME", "30s", "How long the server may take until it answers.");
        AddText("--request-limit", "TIME", "30s", "How long a complete answer may take.");
        AddText("--connect-limit", "TIME", "5s", "How long a handshake may take.");
        environment = Many("--env", "NAME=VALUE", "An environment variable for the servers.");
        expectClean = Many("--expect-clean", "LABEL", "The server whose losses decide the exit status; repeat it for several. [default: all]");
        AddText("--json", "FILE", null, "Write everything as JSON, per run and per server; - is standard output.");
        showOutput = Flag("--show-output", "Print what each server printed in its last run.");
        quiet = Flag("--quiet", "No line per run.");
        AddText("--threads", "N", "1", "Threads that the clients share (plain HTTP/1.1 over TCP).");
        AddText("--sources", "N", "64", "Loopback addresses that the clients come from: 127.0.0.2 and on.");
        AddText("--close", "HOW", "fin", "How a client ends its connection after a complete answer: fin or reset.");
    }

    // Null when there is nothing to run: help or version was asked for (status 0), or the usage was bad (status 2).
    public static ProbeOptions? Read(string[] args, out int status) => new CommandLine().ReadAll(args, out status);

    private ProbeOptions? ReadAll(string[] args, out int status)
    {
        // Split by hand, since a command after -- has options of its own and a misspelt option shall not pass for a command.
        int dashes = Array.IndexOf(args, "--");
        string[] command = dashes < 0 ? [] : args[(dashes + 1)..];
        ParseResult parsed = root.Parse(dashes < 0 ? args : args[..dashes]);
        if (args.Length == 0 || parsed.Action is HelpAction || (parsed.Errors.Count == 0 && parsed.Action is not null))
        {
            status = args.Length == 0 ? 2 : 0;
            (args.Length == 0 ? root.Parse("--help") : parsed).Invoke();
            return null;
        }
        errors.AddRange(parsed.Errors.Select(error => error.Message));
        ProbeOptions? options = errors.Count == 0 ? Check(parsed, command) : null;
        foreach (string error in errors)
        {
            Console.Error.WriteLine($"Graceful.Probe: {error}");
        }
        if (errors.Count > 0)
        {
            Console.Error.WriteLine("Graceful.Probe --help shows the options.");
        }
        status = errors.Count > 0 ? 2 : 0;
        return errors.Count > 0 ? null : options;
    }

    private ProbeOptions? Check(ParseResult parsed, string[] command)
    {
        List<ServerCommand> list = Servers(parsed.GetValue(servers) ?? [], command);
        Dictionary<string, string> variables = Variables(parsed.GetValue(environment) ?? []);
        string? unix = UnixPath(parsed);
        RequirePort(list, variables, unix);
        string[] clean = parsed.GetValue(expectClean) ?? [];
        foreach (string label in clean.Where(label => list.TrueForAll(server => server.Label != label)))
        {
            Bad("--expect-clean", label, $"the label of a server, here {string.Join(", ", list.Select(server => server.Label))}");
        }
        var options = new ProbeOptions
        {
            Servers = list,
            Environment = variables,
            ExpectClean = clean.Length > 0 ? clean : [.. list.Select(server => server.Label)],
            Runs = Number(parsed, "--runs", 1, 10_000),
            KeepAlive = Number(parsed, "--keep-alive", 0, 20_000),
            Connect = Number(parsed, "--connect", 0, 20_000),
            Idle = Number(parsed, "--idle", 0, 100_000),
            Slow = Number(parsed, "--slow", 0, 20_000),
            Path = Path(parsed, "--path"),
            SlowPath = Path(parsed, "--slow-path"),
            Think = Time(parsed, "--think", "0", "10m"),
            Protocol = OneOf<Protocol>(parsed, "--protocol", Protocols),
            Tls = parsed.GetValue(tls),
            Unix = unix,
            Streams = Number(parsed, "--streams", 1, 100),
            WarmUp = Time(parsed, "--warm-up", "0", "10m"),
            Load = Time(parsed, "--load", "50ms", "60m"),
            SlowLead = Time(parsed, "--slow-lead", "10ms", "60s"),
            Signal = Signal(parsed),
            SecondSignalAfter = Text(parsed, "--second-signal-after") is null ? null : Time(parsed, "--second-signal-after", "1ms", "60m"),
            Limit = Time(parsed, "--limit", "100ms", "60m"),
            ReadyLimit = Time(parsed, "--ready-limit", "100ms", "10m"),
            RequestLimit = Time(parsed, "--request-limit", "100ms", "60m"),
            ConnectLimit = Time(parsed, "--connect-limit", "100ms", "10m"),
            Threads = Number(parsed, "--threads", 1, 64),
            Sources = Number(parsed, "--sources", 1, SourceAddresses.Limit),
            CloseWith = OneOf<CloseWith>(parsed, "--close", Closes),
            Json = Text(parsed, "--json"),
            ShowOutput = parsed.GetValue(showOutput),
            Quiet = parsed.GetValue(quiet),
        };
        if (options.Slow > 0 && options.SlowLead > options.Load)
        {
            Bad("--slow-lead", Text(parsed, "--slow-lead")!, $"no more than --load ({Duration.Write(options.Load)})");
        }
        if (options.Protocol == Protocol.Sse)
        {
            RequireNone("--idle", options.Idle);
            RequireNone("--slow", options.Slow);
        }
        return options;
    }

    private void RequireNone(string name, int number)
    {
        if (number > 0)
        {
            Bad(name, number.ToString(CultureInfo.InvariantCulture), "0 with --protocol sse, whose keep-alive clients hold their streams");
        }
    }

    private string? UnixPath(ParseResult parsed)
    {
        string? text = Text(parsed, "--unix");
        if (text is not null && (!text.StartsWith('/') || Encoding.UTF8.GetByteCount(text) > UnixPathLimit))
        {
            Bad("--unix", text, $"a path that starts with /, at most {UnixPathLimit} bytes");
        }
        return text;
    }

    private List<ServerCommand> Servers(string[] values, string[] command)
    {
        var list = new List<ServerCommand>();
        foreach (string value in values)
        {
            Match labelled = LabelledCommand().Match(value);
            string label = labelled.Success ? labelled.Groups[1].Value : NextLabel(list, values.Length);
            if (!CommandWords.TrySplit(labelled.Success ? labelled.Groups[2].Value : value, out List<string> words, out string error))
            {
                Bad("--server", value, $"[LABEL=]COMMAND, but {error}");
            }
            else if (list.Exists(server => server.Label == label))
            {
                Bad("--server", value, $"a label of its own, but '{label}' is taken");
            }
            else
            {
                list.Add(new ServerCommand(label, words));
            }
        }
        if (command.Length > 0)
        {
            list.Add(new ServerCommand(NextLabel(list, values.Length + 1), command));
        }
        if (list.Count == 0 && errors.Count == 0)
        {
            errors.Add("no server: give --server \"[LABEL=]COMMAND\", or the command after --");
        }
        return list;
    }

    private static string NextLabel(List<ServerCommand> list, int of) =>
        of == 1 ? "server" : string.Create(CultureInfo.InvariantCulture, $"server{list.Count + 1}");

    private Dictionary<string, string> Variables(string[] values)
    {
        var variables = new Dictionary<string, string>();
        foreach (string value in values)
        {
            int equals = value.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
            {
                Bad("--env", value, "NAME=VALUE");
                continue;
            }
            variables[value[..equals]] = value[(equals + 1)..];
        }
        return variables;
    }

    // Without {port} a server cannot know where it is expected.
    private void RequirePort(List<ServerCommand> list, Dictionary<string, string> variables, string? unix)
    {
        // A Unix socket of one name for all runs needs no number.
        if (unix?.Contains("{port}", StringComparison.Ordinal) == false || variables.Values.Any(value => value.Contains("{port}", StringComparison.Ordinal)))
        {
            return;
        }
        foreach (ServerCommand server in list.Where(server => !server.Words.Any(word => word.Contains("{port}", StringComparison.Ordinal))))
        {
            Bad("--server", string.Join(' ', server.Words), "a command with {port} in it, or --env NAME={port}");
        }
    }

    private int Number(ParseResult parsed, string name, int least, int most)
    {
        string text = Text(parsed, name)!;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most)
        {
            return number;
        }
        Bad(name, text, string.Create(CultureInfo.InvariantCulture, $"a whole number from {least} to {most}"));
        return least;
    }

    private TimeSpan Time(ParseResult parsed, string name, string least, string most)
    {
        string text = Text(parsed, name)!;
        _ = Duration.TryParse(least, out TimeSpan from);
        _ = Duration.TryParse(most, out TimeSpan to);
        if (Duration.TryParse(text, out TimeSpan time) && time >= from && time <= to)
        {
            return time;
        }
        Bad(name, text, $"a time from {least} to {most}, written like 300ms, 2s or 1m (a bare number is milliseconds)");
        return from;
    }

    private string Path(ParseResult parsed, string name)
    {
        string text = Text(parsed, name)!;
        if (!text.StartsWith('/') || text.Length > 4096 || text.Any(c => c is <= ' ' or >= (char)127))
        {
            Bad(name, text, "a path that starts with / and has no blanks, at most 4096 ASCII characters");
        }
        return text;
    }

    private int Signal(ParseResult parsed)
    {
        string text = Text(parsed, "--signal")!;
        if (!SignalNumber.TryParse(text, out int signal))
        {
            Bad("--signal", text, "a signal's name (SIGTERM, INT, ...) or its number from 1 to 64");
        }
        return signal;
    }

    private T OneOf<T>(ParseResult parsed, string name, string[] words)
        where T : struct, Enum
    {
        string text = Text(parsed, name)!;
        int index = Array.IndexOf(words, text);
        if (index < 0)
        {
            Bad(name, text, $"{string.Join(", ", words[..^1])} or {words[^1]}");
        }
        return Enum.GetValues<T>()[Math.Max(index, 0)];
    }

    private void Bad(string option, string value, string allowed) => errors.Add($"{option}: '{value}' is not allowed; allowed: {allowed}");

    private string? Text(ParseResult parsed, string name) => parsed.GetValue(texts[name]);

    private void AddText(string name, string valueName, string? byDefault, string description)
    {
        var option = new Option<string>(name) { HelpName = valueName, Description = description };
        if (byDefault is not null)
        {
            option.DefaultValueFactory = _ => byDefault;
        }
        texts[name] = option;
        root.Options.Add(option);
    }

    private Option<string[]> Many(string name, string valueName, string description)
    {
        var option = new Option<string[]>(name) { HelpName = valueName, Description = description, Arity = ArgumentArity.OneOrMore };
        root.Options.Add(option);
        return option;
    }

    private Option<bool> Flag(string name, string description)
    {
        var option = new Option<bool>(name) { Description = description };
        root.Options.Add(option);
        return option;
    }

    // A label is a word; whatever else stands before an equals sign belongs to the command.
    [GeneratedRegex(@"^([A-Za-z0-9_.-]+)=(.*)$", RegexOptions.Singleline)]
    private static partial Regex LabelledCommand();
}
