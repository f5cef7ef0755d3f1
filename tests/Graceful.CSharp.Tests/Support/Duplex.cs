using System.IO.Pipelines;

namespace Graceful.Tests.Support;

/// <summary>The transport of a connection that is made by hand.</summary>
internal sealed class Duplex(PipeReader input, PipeWriter output) : IDuplexPipe
{
    public PipeReader Input => input;

    public PipeWriter Output => output;
}
