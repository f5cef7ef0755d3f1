using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Graceful.Tests.Support;

namespace Graceful.Tests.Platform;

/// <summary>The ear of a service manager: a real datagram socket. It reads when it is asked what it heard, and only then.</summary>
internal sealed class Listener : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };
    private readonly List<string> _datagrams = [];
    private readonly byte[] _buffer = new byte[4096];
    private readonly string? _path;

    public Listener(bool isAbstract = true)
    {
        var name = $"graceful-{Guid.NewGuid():N}";
        _path = isAbstract ? null : Path.Combine(Path.GetTempPath(), name);
        Address = _path ?? $"@{name}";
        _socket.Bind(new UnixDomainSocketEndPoint(_path ?? $"\0{name}"));
    }

    /// <summary>As it stands in NOTIFY_SOCKET.</summary>
    public string Address { get; }

    public Dictionary<string, string> Environment => new() { ["NOTIFY_SOCKET"] = Address };

    public Dictionary<string, string> With(string name, string value) => new(Environment) { [name] = value };

    /// <summary>Everything so far.</summary>
    public IReadOnlyList<string> Datagrams
    {
        get
        {
            while (_socket.Available > 0)
            {
                _datagrams.Add(Encoding.UTF8.GetString(_buffer, 0, _socket.Receive(_buffer)));
            }

            return _datagrams;
        }
    }

    public IReadOnlyList<string> Lines => [.. Datagrams.SelectMany(text => text.Split('\n', StringSplitOptions.RemoveEmptyEntries))];

    public IReadOnlyList<long> Extensions => [.. Lines.Where(line => line.StartsWith("EXTEND_TIMEOUT_USEC=", StringComparison.Ordinal))
        .Select(line => long.Parse(line.Split('=')[1], CultureInfo.InvariantCulture))];

    public int Count(string line) => Lines.Count(each => each == line);

    public Task Hears(string beginning) => Limits.Until(
        () => Lines.Any(line => line.StartsWith(beginning, StringComparison.Ordinal)), $"the service manager hears {beginning}");

    public void Forget()
    {
        _ = Datagrams;
        _datagrams.Clear();
    }

    /// <summary>Leaves no room in the queue.</summary>
    public void Fill()
    {
        using var filler = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };
        var error = SocketError.Success;
        while (error == SocketError.Success)
        {
            try
            {
                filler.SendTo("FILL=1"u8, _socket.LocalEndPoint!);
            }
            catch (SocketException e)
            {
                error = e.SocketErrorCode;
            }
        }

        Assert.Equal(SocketError.WouldBlock, error);
    }

    /// <summary>Leaves the socket's file behind, and nobody in it.</summary>
    public void Die()
    {
        var aside = $"{_path!}.aside";
        File.Move(_path!, aside);
        _socket.Dispose();
        File.Move(aside, _path!);
    }

    public void Dispose()
    {
        _socket.Dispose();
        if (_path is not null)
        {
            File.Delete(_path);
        }
    }
}
