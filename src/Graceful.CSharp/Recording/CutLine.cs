using System.Text.Json;
using Graceful.Core;

namespace Graceful.Recording;

/// <summary>From here on something is missing, and why.</summary>
/// <param name="At">When that was so.</param>
/// <param name="Everything">True for the last line of a record; false when only gate, connections and requests are left out.</param>
/// <param name="Because">Why, in words.</param>
internal sealed record CutLine(Instant At, bool Everything, string Because) : RecordLine(At)
{
    public override bool IsDetail => false;

    public static CutLine Read(in Fields fields) => new(fields.Instant("at"), fields.Text("leftOut") == "everything", fields.Text("because"));

    protected override void WriteFields(Utf8JsonWriter json)
    {
        json.WriteString("leftOut", Everything ? "everything" : "gate, connections and requests");
        json.WriteString("because", Because);
    }
}
