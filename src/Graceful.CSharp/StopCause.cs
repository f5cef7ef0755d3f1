namespace Graceful;

/// <summary>What makes a server leave.</summary>
public enum StopCause
{
    /// <summary>A signal of the operating system.</summary>
    Signal,

    /// <summary>The application asked, through <see cref="IGraceful"/>.</summary>
    Requested,

    /// <summary>The host stops: <c>StopApplication</c>, <c>app.StopAsync()</c>; or a <see cref="GracefulServer"/> is disposed.</summary>
    HostStopped,

    /// <summary>Nobody needed the server for as long as its <see cref="GracefulOptions.IdleLimit"/>.</summary>
    Idle,

    /// <summary>A successor took over.</summary>
    HandedOver,

    /// <summary>The one connection that was to be served has ended.</summary>
    ConnectionEnded,

    /// <summary>A component that the server cannot do without failed; see <see cref="IGraceful.Guard"/>.</summary>
    ComponentFailed,
}
