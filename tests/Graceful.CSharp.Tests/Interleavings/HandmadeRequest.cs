using Graceful.Kestrel;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Graceful.Tests.Interleavings;

/// <summary>
/// A context that serves one request after the other, as Kestrel's do, and says whether it is served at the moment: a
/// request is over when what was registered for its completion is.
/// </summary>
internal sealed class HandmadeRequest : IHttpResponseFeature, IHttpRequestLifetimeFeature
{
    private readonly Stack<(Func<object, Task> Callback, object State)> _completed = [];
    private readonly KestrelConnection _connection;
    private int _number;
    private int _aborts;

    public HandmadeRequest(KestrelConnection connection, string protocol)
    {
        _connection = connection;
        Context.Features.Set<IHttpResponseFeature>(this);
        Context.Features.Set<IHttpRequestLifetimeFeature>(this);
        Context.Features[typeof(KestrelConnection)] = connection;
        Context.Request.Protocol = protocol;
    }

    public HttpContext Context { get; } = new DefaultHttpContext();

    /// <summary>How often a request was aborted.</summary>
    public int Aborts => Volatile.Read(ref _aborts);

    /// <summary>Called when somebody aborts: with the request's number, 0 when none is served.</summary>
    public Action<int>? Aborted { get; init; }

    public void Begin(int number, Endpoint? endpoint)
    {
        Context.SetEndpoint(null);
        Volatile.Write(ref _number, number);
        _connection.Begin(Context);
        Context.SetEndpoint(endpoint);
    }

    /// <summary>Ends the request. The context may be used again when the task is completed.</summary>
    public Task EndAsync()
    {
        var (callback, state) = _completed.Pop();
        return callback(state);
    }

    /// <summary>The context is another request's from now on.</summary>
    public void GiveBack() => Volatile.Write(ref _number, 0);

    public void Abort()
    {
        var number = Volatile.Read(ref _number);
        Aborted?.Invoke(number);
        Interlocked.Increment(ref _aborts);
        if (Volatile.Read(ref _number) != number)
        {
            Aborted?.Invoke(0);
        }
    }

    public void OnCompleted(Func<object, Task> callback, object state) => _completed.Push((callback, state));

    public void OnStarting(Func<object, Task> callback, object state)
    {
    }

    Stream IHttpResponseFeature.Body { get; set; } = Stream.Null;

    bool IHttpResponseFeature.HasStarted => false;

    IHeaderDictionary IHttpResponseFeature.Headers { get; set; } = new HeaderDictionary();

    string? IHttpResponseFeature.ReasonPhrase { get; set; }

    int IHttpResponseFeature.StatusCode { get; set; } = 200;

    CancellationToken IHttpRequestLifetimeFeature.RequestAborted { get; set; }
}
