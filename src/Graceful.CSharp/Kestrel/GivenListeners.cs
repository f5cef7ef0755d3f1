using System.Net;
using System.Net.Sockets;
using Graceful.Engine;
using Graceful.Reporting;
using Graceful.Serving;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Graceful.Kestrel;

/// <summary>
/// Puts what was given to this process, listening sockets or one connection, in the place of the endpoints that Kestrel is configured with. That is done
/// below Kestrel, where it listens, so that everything that is configured above stays.
/// </summary>
internal sealed class GivenListeners(
    KeptListenerFactory kept,
    LifecycleEngine engine,
    IOptions<GracefulOptions> options,
    IOptions<KestrelServerOptions> kestrel,
    ILoggerFactory loggers) : IDisposable
{
    private readonly ILogger _log = loggers.CreateLogger(Log.Category);
    private readonly List<SeveralListeners> _bound = [];
    private readonly Lazy<GivenSockets> _sockets = new(() => new GivenSockets(options.Value.Activation!.Sockets, kestrel.Value));
    private bool _isConnectionServed;

    /// <summary>Whether there is anything that endpoints are replaced by.</summary>
    public bool IsAnything => options.Value.Connection is not null || options.Value.Activation is { Sockets.Count: > 0 };

    /// <summary>What stands for an endpoint; null when it is bound as it is configured.</summary>
    /// <exception cref="IOException">What was given and what is configured don't go together.</exception>
    public async ValueTask<IConnectionListener?> InPlaceOfAsync(EndPoint endpoint)
    {
        if (!IsAnything || endpoint is not (IPEndPoint or UnixDomainSocketEndPoint))
        {
            return null;
        }

        if (options.Value.Connection is { } connection)
        {
            var serves = !_isConnectionServed && IsFor(endpoint);
            var listener = Bind(endpoint);
            if (serves)
            {
                _isConnectionServed = true;
                await AddAsync(listener, new AcceptedEndPoint(connection), socket: null).ConfigureAwait(false);
            }

            return listener;
        }

        if (_sockets.Value.For(endpoint) is not { } sockets)
        {
            return null;
        }

        var several = Bind(endpoint);
        foreach (var socket in sockets)
        {
            await AddAsync(several, socket).ConfigureAwait(false);
        }

        return several;
    }

    /// <summary>The host ends, and a connection that nobody has served with it.</summary>
    public void Dispose()
    {
        try
        {
            options.Value.Connection?.Close();
        }
        catch (OptionsValidationException)
        {
            // Nothing was ever served.
        }
    }

    /// <summary>Everything is bound: now it can be seen whether everything is served.</summary>
    /// <exception cref="IOException">It is not.</exception>
    public async Task CompleteAsync()
    {
        if (options.Value.Connection is not null)
        {
            if (!_isConnectionServed && Bound().Length > 0)
            {
                throw new IOException($"The accepted connection is for the endpoint '{options.Value.ConnectionEndpoint}', and there is none of that name under Kestrel:Endpoints.");
            }
        }
        else if (Bound() is { Length: > 0 } bound)
        {
            foreach (var socket in _sockets.Value.Rest())
            {
                await AddAsync(Array.Find(bound, listener => listener.EndPoints.Any())!, socket).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Where it listens in truth, of what Kestrel says of one endpoint.</summary>
    public IEnumerable<string> InTruth(string address)
    {
        var cut = address.IndexOf(Uri.SchemeDelimiter, StringComparison.Ordinal) + Uri.SchemeDelimiter.Length;
        var (scheme, place) = (address[..cut], address[cut..]);
        var listeners = Array.FindAll(Bound(), listener => place == Place(listener.EndPoint) || IsHalfOf(place, listener.Configured));
        return listeners.Length == 0 ? [address] : listeners.SelectMany(listener => listener.EndPoints).Select(endpoint => scheme + Place(endpoint));
    }

    private static string Place(EndPoint endpoint) => endpoint is UnixDomainSocketEndPoint ? $"unix:{endpoint}" : $"{endpoint}";

    private static bool IsHalfOf(string place, EndPoint endpoint) =>
        endpoint is IPEndPoint ip && IPAddress.IsLoopback(ip.Address) && place.Equals($"localhost:{ip.Port}", StringComparison.OrdinalIgnoreCase);

    private bool IsFor(EndPoint endpoint)
    {
        if (options.Value.ConnectionEndpoint is not { } name)
        {
            return true;
        }

        var here = new EndpointNames(kestrel.Value).At(endpoint);
        return here.Contains(name, StringComparer.OrdinalIgnoreCase) && (here.Count == 1 ? true : throw new IOException(
            $"The accepted connection is for the endpoint '{name}', but {string.Join(" and ", here)} have one URL; allowed are URLs that differ."));
    }

    private SeveralListeners Bind(EndPoint endpoint)
    {
        SeveralListeners? listener = null;
        listener = new SeveralListeners(endpoint, () =>
        {
            lock (_bound)
            {
                _bound.Remove(listener!);
            }

            if (_sockets.IsValueCreated)
            {
                _sockets.Value.Release(endpoint);
            }
        });
        lock (_bound)
        {
            _bound.Add(listener);
        }

        return listener;
    }

    private Task AddAsync(SeveralListeners listener, ActivatedSocket socket)
    {
        Log.ServedFrom(_log, Place(listener.Configured), socket.ToString());
        return AddAsync(listener, new KeptEndPoint(socket.Socket, keep: static _ => true), socket.Socket);
    }

    private async Task AddAsync(SeveralListeners listener, EndPoint given, Socket? socket)
    {
        var tracked = new TrackedListener(await kept.BindAsync(given).ConfigureAwait(false), socket, borrowed: true, engine, options.Value, loggers);
        _ = engine.Intakes.TryAdd(tracked);
        listener.Add(tracked);
    }

    private SeveralListeners[] Bound()
    {
        lock (_bound)
        {
            return [.. _bound];
        }
    }
}
