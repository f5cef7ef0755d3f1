using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Abstractions;
using Microsoft.AspNetCore.Http.Features;

namespace Graceful.FastCgi;

/// <summary>What the host gave to its server to be run, whatever a request is to it.</summary>
internal abstract class Application
{
    /// <summary>Runs a request from its beginning to its end. Never fails.</summary>
    /// <param name="request">The request.</param>
    /// <param name="before">The features of the request before it on this connection, if there was one.</param>
    /// <returns>The features of this one.</returns>
    public abstract Task<IFeatureCollection> RunAsync(FastCgiRequest request, IFeatureCollection? before);
}

/// <inheritdoc/>
internal sealed class Application<TContext>(IHttpApplication<TContext> application) : Application
    where TContext : notnull
{
    public override async Task<IFeatureCollection> RunAsync(FastCgiRequest request, IFeatureCollection? before)
    {
        var features = new RequestFeatures(request);
        if (before is RequestFeatures former)
        {
            features.HostContext = former.HostContext;
        }

        Exception? failure = null;
        TContext context;
        try
        {
            context = application.CreateContext(features);
        }
#pragma warning disable CA1031 // The request fails, and the connection goes on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            await request.EndAsync(e).ConfigureAwait(false);
            return features;
        }

        try
        {
            await application.ProcessRequestAsync(context).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // Whatever it is, it is the application's, and its request's end.
        catch (Exception e)
#pragma warning restore CA1031
        {
            failure = e;
        }

        failure = await request.EndAsync(failure).ConfigureAwait(false);
        try
        {
            application.DisposeContext(context, failure);
        }
#pragma warning disable CA1031 // The response is out: all that is left is to say it.
        catch (Exception e)
#pragma warning restore CA1031
        {
            request.Report(e);
        }

        return features;
    }

    /// <summary>
    /// Where the host keeps what it makes for a request, to use it for the next one. As long as nobody has replaced a feature of the request's own, those
    /// are looked up nowhere: there are a dozen such calls in a request.
    /// </summary>
    private sealed class RequestFeatures(FastCgiRequest request) : FeatureCollection(request.Own), IFeatureCollection, IHostContextContainer<TContext>
    {
        private bool _isReplaced;

        public TContext? HostContext { get; set; }

        object? IFeatureCollection.this[Type key]
        {
            get => base[key];
            set
            {
                _isReplaced |= FastCgiRequest.OwnFeatures.Contains(key);
                base[key] = value;
            }
        }

        TFeature? IFeatureCollection.Get<TFeature>()
            where TFeature : default => Own<TFeature>.Is && !_isReplaced ? (TFeature)(object)request : base.Get<TFeature>();

        void IFeatureCollection.Set<TFeature>(TFeature? instance)
            where TFeature : default
        {
            _isReplaced |= Own<TFeature>.Is;
            base.Set(instance);
        }

        private static class Own<TFeature>
        {
            public static readonly bool Is = FastCgiRequest.OwnFeatures.Contains(typeof(TFeature));
        }
    }
}
