using System.Text.Json;
using Graceful.Core;

namespace Graceful.Recording;

/// <summary>
/// One line of a record. Each kind knows how it is written and how it is read, and is told from the others by the name of
/// its second field.
/// </summary>
/// <param name="At">When it happened, on the engine's clock.</param>
internal abstract record RecordLine(Instant At)
{
    /// <summary>What the lifecycle can do without: these lines are the first to be left out when there are too many.</summary>
    public virtual bool IsDetail => true;

    public void WriteTo(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("at", CoreText.Of(At));
        WriteFields(json);
        json.WriteEndObject();
    }

    /// <summary>Reads a line of any kind but the first.</summary>
    /// <exception cref="FormatException">It is none; the message says why.</exception>
    public static RecordLine Parse(string line)
    {
        using var document = Fields.Parse(line);
        var fields = new Fields(document.RootElement);
        return fields switch
        {
            _ when fields.Has("lifecycle") => LifecycleLine.Read(fields),
            _ when fields.Has("hook") => HookLine.Read(fields),
            _ when fields.Has("gate") => GateLine.Read(fields),
            _ when fields.Has("connection") => ConnectionLine.Read(fields),
            _ when fields.Has("request") => RequestLine.Read(fields),
            _ when fields.Has("leftOut") => CutLine.Read(fields),
            _ => throw new FormatException("it says nothing of a lifecycle, hook, gate, connection or request"),
        };
    }

    protected abstract void WriteFields(Utf8JsonWriter json);
}
