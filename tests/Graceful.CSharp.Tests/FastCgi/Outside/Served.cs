using System.Globalization;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Graceful.Tests.FastCgi.Outside;

/// <summary>The application that web servers pass on to, on a Unix socket in a folder of its own.</summary>
internal sealed class Served : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graceful");
    private readonly TaskCompletionSource _aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Folder => _folder.FullName;

    public string Socket => Path.Combine(_folder.FullName, "application");

    public TestApp App { get; private set; } = null!;

    /// <summary>Completes when the request to <c>/abandoned</c> was aborted.</summary>
    public Task Aborted => _aborted.Task;

    /// <summary>Somebody is in <c>/abandoned</c>.</summary>
    public bool IsAsked { get; private set; }

    public static async Task<Served> StartAsync()
    {
        var served = new Served();
        served.App = await TestApp.StartAsync(
            build: builder => builder.WebHost.ConfigureKestrel(kestrel =>
            {
                kestrel.Limits.MaxRequestBodySize = null;
                kestrel.ListenUnixSocket(served.Socket, endpoint => endpoint.UseFastCgi());
            }),
            map: served.Map);
        return served;
    }

    public async ValueTask DisposeAsync()
    {
        await App.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private void Map(WebApplication app)
    {
        app.MapPost("/echo", (HttpContext context) => context.Request.Body.CopyToAsync(context.Response.Body));
        app.MapPost("/unbuffered/upload", SumAsync);
        app.MapPost("/sum", SumAsync);
        app.MapGet("/pattern", (int mib, HttpContext context) => PatternAsync(mib, context));
        app.MapGet("/unbuffered/pattern", (int mib, HttpContext context) => PatternAsync(mib, context));
        app.MapGet("/abandoned", BeAbandonedAsync);
        app.MapPost("/abandoned", BeAbandonedAsync);
        app.MapPost("/unbuffered/abandoned", BeAbandonedAsync);
        app.MapMethods("/{**rest}", ["GET", "PUT", "OPTIONS"], (HttpContext context) => string.Create(
            CultureInfo.InvariantCulture,
            $"{context.Request.Method} {context.Request.Scheme} {context.Request.Host} [{context.Request.PathBase.Value}][{context.Request.Path.Value}][{context.Request.QueryString}] {context.Connection.RemoteIpAddress} {context.Request.Headers["X-Odd"]}"));
    }

    private async Task BeAbandonedAsync(HttpContext context)
    {
        using var registration = context.RequestAborted.Register(() => _aborted.TrySetResult());
        IsAsked = true;
        await _aborted.Task.Soon("The abort");
    }

    /// <summary>How much came, and the sum of all bytes; not kept, however much it is.</summary>
    private static async Task SumAsync(HttpContext context)
    {
        var buffer = new byte[1 << 16];
        long length = 0, sum = 0;
        for (int got; (got = await context.Request.Body.ReadAsync(buffer)) > 0; length += got)
        {
            foreach (var b in buffer.AsSpan(0, got))
            {
                sum += b;
            }
        }

        await context.Response.WriteAsync(string.Create(CultureInfo.InvariantCulture, $"{length} {sum}"));
    }

    private static async Task PatternAsync(int mib, HttpContext context)
    {
        context.Response.ContentLength = (long)mib << 20;
        for (var sent = 0; sent < mib << 20; sent += Pattern.Bytes.Length)
        {
            await context.Response.Body.WriteAsync(Pattern.Bytes);
        }
    }
}
