using System.Runtime.CompilerServices;
using System.Text.Json;
using Graceful.Core;

namespace Graceful.Recording;

/// <summary>A step of a connection, in the order of its compare-and-swaps.</summary>
/// <param name="At">When it happened.</param>
/// <param name="Number">The connection's number in this record.</param>
/// <param name="Id">What the server's logs call it; in its first line only.</param>
/// <param name="Happened">The event.</param>
/// <param name="From">The word before.</param>
/// <param name="To">The word after.</param>
/// <param name="Effect">What it ordered.</param>
internal sealed record ConnectionLine(
    Instant At, int Number, string? Id, ConnectionEvent Happened, Connection From, Connection To, ConnectionEffect Effect)
    : RecordLine(At)
{
    public static uint Word(Connection connection) => Unsafe.BitCast<Connection, uint>(connection);

    public static ConnectionLine Read(in Fields fields) => new(
        fields.Instant("at"),
        fields.Int("number"),
        fields.TextOrNull("id"),
        fields.Case("connection", CoreText.ConnectionEvents),
        Connection(fields, "from"),
        Connection(fields, "to"),
        fields.Case("effect", CoreText.ConnectionEffects));

    protected override void WriteFields(Utf8JsonWriter json)
    {
        json.WriteString("connection", CoreText.ConnectionEvents[Happened.Tag]);
        json.WriteNumber("number", Number);
        if (Id is not null)
        {
            json.WriteString("id", Id);
        }

        json.WriteNumber("from", Word(From));
        json.WriteNumber("to", Word(To));
        json.WriteString("before", CoreText.Phases[ConnectionModule.phase(From).Tag]);
        json.WriteString("after", CoreText.Phases[ConnectionModule.phase(To).Tag]);
        json.WriteString("effect", CoreText.ConnectionEffects[Effect.Tag]);
    }

    private static Connection Connection(in Fields fields, string name) => fields.Word(name) is var word and <= uint.MaxValue
        ? Unsafe.BitCast<uint, Connection>((uint)word)
        : throw Fields.Wrong(name, "a whole number of 32 bits");
}
