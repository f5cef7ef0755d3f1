using System.Text.Json;
using Graceful.Core;
using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;

namespace Graceful.Recording;

/// <summary>A hook: in the first line those of the policy, later one that was added while the server ran.</summary>
/// <param name="At">When it was added.</param>
/// <param name="Hook">The hook as the core knows it.</param>
internal sealed record HookLine(Instant At, Hook Hook) : RecordLine(At)
{
    public override bool IsDetail => false;

    public static HookLine Read(in Fields fields) => new(fields.Instant("at"), ReadHook(fields.Object("hook")));

    public static Hook ReadHook(Fields fields) => new(
        fields.Text("name"),
        fields.Case("stage", CoreText.HookStages),
        fields.Span("limit"),
        fields.Has("after") ? FSharpValueOption<FSharpList<string>>.Some(ListModule.OfSeq(fields.Texts("after"))) : FSharpValueOption<FSharpList<string>>.None,
        fields.Has("onFailure") ? fields.Case("onFailure", CoreText.FailurePolicies) : FailurePolicy.Continue);

    public static void WriteHook(Hook hook, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("name", hook.Name);
        json.WriteString("stage", CoreText.HookStages[hook.Stage.Tag]);
        json.WriteString("limit", CoreText.Of(hook.TimeLimit));
        if (hook.WaitsFor.IsSome)
        {
            json.WriteStartArray("after");
            foreach (var name in hook.WaitsFor.Value)
            {
                json.WriteStringValue(name);
            }

            json.WriteEndArray();
        }

        if (!hook.OnFailure.IsContinue)
        {
            json.WriteString("onFailure", CoreText.FailurePolicies[hook.OnFailure.Tag]);
        }

        json.WriteEndObject();
    }

    protected override void WriteFields(Utf8JsonWriter json)
    {
        json.WritePropertyName("hook");
        WriteHook(Hook, json);
    }
}
