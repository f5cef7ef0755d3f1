using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;

namespace Graceful.Takeover;

/// <summary>
/// HAProxy before the two servers, twice: as a proxy of HTTP/2, which has connections of its own to them, and as a proxy of TCP, whose
/// clients hear the servers' GOAWAYs themselves. It asks for readiness every 100 ms, over HTTP/1.1, and otherwise is as it comes.
/// </summary>
internal sealed class Proxy : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("takeover");
    private readonly ConcurrentQueue<string> _words = new();
    private readonly Process _process;

    private Proxy(IReadOnlyList<Backend> servers)
    {
        var file = Path.Combine(_folder.FullName, "haproxy.cfg");
        File.WriteAllText(file, Configuration(servers));
        _process = Process.Start(new ProcessStartInfo("haproxy", ["-q", "-db", "-f", file]) { RedirectStandardOutput = true })
            ?? throw new InvalidOperationException("HAProxy did not start.");
        _process.OutputDataReceived += (_, line) => _words.Enqueue(line.Data ?? "");
        _process.BeginOutputReadLine();
    }

    public int HttpPort { get; } = Backend.FreePort();

    public int TcpPort { get; } = Backend.FreePort();

    /// <summary>What it says of requests that it could not have served, and of servers that come and go.</summary>
    public IEnumerable<string> Words => _words.Where(word => word.Length > 0);

    private string StatusSocket => Path.Combine(_folder.FullName, "status");

    /// <summary>Starts it, and waits until it takes both servers for ready.</summary>
    public static async Task<Proxy> StartAsync(IReadOnlyList<Backend> servers)
    {
        var proxy = new Proxy(servers);
        for (var index = 0; index < servers.Count; index++)
        {
            await proxy.UntilAsync(index, isUp: true);
        }

        return proxy;
    }

    /// <summary>Waits until it takes a server for ready, or not.</summary>
    /// <exception cref="TimeoutException">It does not.</exception>
    public async Task UntilAsync(int server, bool isUp)
    {
        var since = Stopwatch.StartNew();
        while (!await AllAsync(server, isUp))
        {
            if (_process.HasExited || since.Elapsed > Limit)
            {
                throw new TimeoutException($"HAProxy does not take server {server} for {(isUp ? "ready" : "gone")}.");
            }

            await Task.Delay(20);
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
        _folder.Delete(recursive: true);
    }

    private string Configuration(IReadOnlyList<Backend> servers)
    {
        string Lines(string protocol) => string.Join('\n', servers.Select((server, index) =>
            $"    server s{index} 127.0.0.1:{server.Port} {protocol} check port {server.HealthPort} check-proto h1 inter 100 fall 1 rise 1"));
        return $"""
            global
                stats socket {StatusSocket} mode 600 level user
                maxconn 4000
                log stdout format raw local0

            defaults
                log global
                option httplog
                option dontlog-normal
                timeout connect 5s
                timeout client 60s
                timeout server 60s
                timeout check 2s

            frontend http
                mode http
                bind 127.0.0.1:{HttpPort} proto h2
                default_backend http

            backend http
                mode http
                balance roundrobin
                option httpchk GET /health/ready
            {Lines("proto h2")}

            frontend tcp
                mode tcp
                option tcplog
                bind 127.0.0.1:{TcpPort}
                default_backend tcp

            backend tcp
                mode tcp
                balance roundrobin
                option httpchk GET /health/ready
            {Lines("")}

            """;
    }

    /// <summary>In both proxies.</summary>
    private async Task<bool> AllAsync(int server, bool isUp)
    {
        if (!File.Exists(StatusSocket))
        {
            return false;
        }

        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(StatusSocket));
        }
        catch (SocketException)
        {
            return false;
        }

        using var stream = new NetworkStream(socket);
        await stream.WriteAsync("show stat\n"u8.ToArray());
        using var reader = new StreamReader(stream);

        // proxy,server,... with the status in the 18th place: UP, DOWN, or on the way from one to the other.
        var states = (await reader.ReadToEndAsync()).Split('\n').Select(line => line.Split(',')).Where(cells => cells.Length > 17 && cells[1] == $"s{server}").ToList();
        return states.Count == 2 && states.TrueForAll(cells => cells[17].StartsWith("UP", StringComparison.Ordinal) == isUp);
    }
}
