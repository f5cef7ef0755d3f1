using System.Text.Json;
using Graceful.Core;

namespace Graceful.Recording;

/// <summary>Travels with the lines and leaves no trace: when it is reached, all before it is written.</summary>
internal sealed record FlushMark(Instant At) : RecordLine(At)
{
    private readonly TaskCompletionSource _written = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Written => _written.Task;

    public void Reached() => _written.TrySetResult();

    protected override void WriteFields(Utf8JsonWriter json) => throw new NotSupportedException("It is no line.");
}
