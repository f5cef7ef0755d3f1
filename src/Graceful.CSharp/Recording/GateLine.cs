using System.Runtime.CompilerServices;
using System.Text.Json;
using Graceful.Core;

namespace Graceful.Recording;

/// <summary>A step of the gate, in the order of its compare-and-swaps.</summary>
/// <param name="At">When it happened.</param>
/// <param name="Happened">The event.</param>
/// <param name="From">The word before.</param>
/// <param name="To">The word after.</param>
/// <param name="Effect">The gate's answer.</param>
internal sealed record GateLine(Instant At, GateEvent Happened, Gate From, Gate To, GateEffect Effect) : RecordLine(At)
{
    public static ulong Word(Gate gate) => Unsafe.BitCast<Gate, ulong>(gate);

    public static GateLine Read(in Fields fields) => new(
        fields.Instant("at"),
        fields.Case("gate", CoreText.GateEvents),
        Unsafe.BitCast<ulong, Gate>(fields.Word("from")),
        Unsafe.BitCast<ulong, Gate>(fields.Word("to")),
        fields.Case("effect", CoreText.GateEffects));

    protected override void WriteFields(Utf8JsonWriter json)
    {
        json.WriteString("gate", CoreText.GateEvents[Happened.Tag]);
        json.WriteNumber("from", Word(From));
        json.WriteNumber("to", Word(To));
        json.WriteNumber("inside", GateModule.inside(To));
        json.WriteString("effect", CoreText.GateEffects[Effect.Tag]);
    }
}
