using System.Text.Json;
using Graceful.Core;

namespace Graceful.Recording;

/// <summary>An event that the mailbox took, with the state and the orders that the core made of it.</summary>
/// <param name="At">What was passed to the step as now.</param>
/// <param name="Happened">The event.</param>
/// <param name="State">The state after it, in words.</param>
/// <param name="Effects">The orders, first to last.</param>
internal sealed record LifecycleLine(Instant At, Event Happened, string State, IReadOnlyList<string> Effects) : RecordLine(At)
{
    public override bool IsDetail => false;

    public static LifecycleLine Read(in Fields fields) =>
        new(fields.Instant("at"), EventFields.Read(fields), fields.Text("state"), fields.Texts("effects"));

    protected override void WriteFields(Utf8JsonWriter json)
    {
        EventFields.Write(Happened, json);
        json.WriteString("state", State);
        json.WriteStartArray("effects");
        foreach (var effect in Effects)
        {
            json.WriteStringValue(effect);
        }

        json.WriteEndArray();
    }
}
