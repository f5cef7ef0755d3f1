// Two HTTP/2 servers behind HAProxy, stopped by SIGTERM in turn and started again, while h2load and .NET's HttpClient go on asking; then, straight to a
// server, how soon a connection ends once its last stream has. HAProxy (haproxy) and h2load (nghttp2-client) must be installed.
//   Graceful.Takeover [--stops 20] [--server graceful|plain|both] [--ends 0|1]
// Exit code 0: the graceful servers lost nothing, each connection ended within 50 ms (with --ends 1, the default), and every exit code was 0; 1: not; 64: usage.
// What the plain servers do is no failure.
using System.Diagnostics;
using System.Globalization;
using Graceful.Takeover;

if (args is ["serve", var port, var healthPort, var kind])
{
    Server.Run(int.Parse(port, CultureInfo.InvariantCulture), int.Parse(healthPort, CultureInfo.InvariantCulture), plain: kind == "plain");
    return 0;
}

var stops = 20;
var servers = "both";
var withEnds = true;
for (var index = 0; index < args.Length; index += 2)
{
    switch (args[index], args.ElementAtOrDefault(index + 1))
    {
        case ("--stops", { } text) when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out stops) && stops is > 0 and <= 1000:
            break;
        case ("--server", ("graceful" or "plain" or "both") and var which):
            servers = which;
            break;
        case ("--ends", ("0" or "1") and var ends):
            withEnds = ends == "1";
            break;
        default:
            Console.Error.WriteLine($"'{args[index]} {args.ElementAtOrDefault(index + 1)}' is not --stops with a number from 1 to 1000, --server graceful, plain or both, or --ends 0 or 1.");
            return 64;
    }
}

var kept = true;
foreach (var which in servers == "both" ? ["plain", "graceful"] : new[] { servers })
{
    kept &= await TakeOverAsync(which == "plain") || which == "plain";
}

Console.WriteLine(kept ? "as promised" : "NOT as promised");
return kept ? 0 : 1;

async Task<bool> TakeOverAsync(bool plain)
{
    Console.WriteLine($"{(plain ? "plain" : "graceful")}, {stops} stops:");
    using var one = new Backend(plain);
    using var other = new Backend(plain);
    Backend[] pair = [one, other];
    await Task.WhenAll(one.StartAsync(), other.StartAsync());
    using var proxy = await Proxy.StartAsync(pair);
    var clients = new (string Name, Tally Tally)[]
    {
        ("h2load, HTTP/2 proxy", new()), ("HttpClient, HTTP/2 proxy", new()), ("HttpClient, TCP proxy", new()), ("HttpClient, TCP, connects", new()),
    };
    var took = new List<TimeSpan>();
    var codes = new List<int>();
    await using (new HttpLoad(proxy.HttpPort, clients[1].Tally))
    {
        await using var told = new HttpLoad(proxy.TcpPort, clients[2].Tally);
        await using var fresh = new HttpLoad(proxy.TcpPort, clients[3].Tally, fresh: true);
        for (var stop = 0; stop < stops; stop++)
        {
            var turn = stop % 2;

            // Five seconds of it: it begins before the stop, and is there when the server is back.
            using var load = new H2Load(proxy.HttpPort, requests: 1000);
            await Task.Delay(500);
            var (duration, code) = await pair[turn].StopAsync();
            took.Add(duration);
            codes.Add(code);
            await proxy.UntilAsync(turn, isUp: false);
            await pair[turn].StartAsync();
            await proxy.UntilAsync(turn, isUp: true);
            await load.CountAsync(clients[0].Tally);
        }
    }

    foreach (var (name, tally) in clients)
    {
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"  {name,-26}{tally.Answered,9:N0} answered{tally.Failed,7:N0} failed{(tally.Connections > 0 ? $", {tally.Connections} connections" : "")}"));
        foreach (var (why, many) in tally.Failures.Take(5))
        {
            Console.WriteLine($"    {many}: {why}");
        }
    }

    foreach (var word in clients.Any(client => client.Tally.Failed > 0) ? proxy.Words.TakeLast(12) : [])
    {
        Console.WriteLine($"    HAProxy: {word}");
    }

    took.Sort();
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"  signal to exit            {took[took.Count / 2].TotalSeconds:F2} s in the middle, {took[^1].TotalSeconds:F2} s at most; exit codes {string.Join(' ', codes.Distinct())}"));
    var clean = clients.All(client => client.Tally.Failed == 0 && client.Tally.Answered > 0) && codes.TrueForAll(code => code == 0);
    return (!withEnds || await EndAsync(pair[0])) & clean;
}

async Task<bool> EndAsync(Backend server)
{
    var since = Stopwatch.StartNew();
    var delays = await Ends.MeasureAsync(server);
    var known = delays.Where(delay => delay is not null).Select(delay => delay!.Value.TotalMilliseconds).Order().ToList();
    Console.WriteLine(known.Count == 0
        ? string.Create(CultureInfo.InvariantCulture, $"  last stream to the end    0 of {delays.Count} connections ended with a GOAWAY that names their stream, {since.Elapsed.TotalSeconds:F1} s in all")
        : string.Create(
            CultureInfo.InvariantCulture,
            $"  last stream to the end    {known[known.Count / 2]:F1} ms in the middle, {known[^1]:F1} ms at most, {delays.Count - known.Count} of {delays.Count} cut off"));
    return known.Count == delays.Count && known[^1] <= 50;
}
