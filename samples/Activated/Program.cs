// A service that is there when somebody needs it. Its units are in deploy/systemd.
//   Activated               serves from the sockets of the service manager and leaves when nobody has needed it for a minute; started by hand it listens itself
//   Activated --accepted    serves one connection, which inetd or Accept=yes has accepted, and leaves with it; --close: after one request
//   any Graceful option, endpoint or other setting: --IdleLimit 00:00:05, --Kestrel:Endpoints:web:Url http://127.0.0.1:5000 ...
using Graceful;

// First of all: where standard input is the connection, standard output is no place for a log.
var accepted = args.Contains("--accepted") ? AcceptedConnection.Current : null;

var builder = WebApplication.CreateSlimBuilder(args.Where(arg => arg is not ("--accepted" or "--close")).ToArray());
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
builder.WebHost.UseKestrelHttpsConfiguration();
builder.AddGraceful(options =>
{
    options.IdleLimit = accepted is null ? TimeSpan.FromMinutes(1) : null;
    builder.Configuration.Bind(options);
    if (accepted is null)
    {
        options.UseSocketActivation();
    }
    else
    {
        accepted.KeepAlive = !args.Contains("--close");
        options.UseAcceptedConnection(accepted);
    }
});

var app = builder.Build();
app.MapGet("/", () => "ok");
app.MapGet("/slow", async (int ms, CancellationToken aborted) =>
{
    await Task.Delay(ms, aborted);
    return "ok, at last";
});
app.Run();
