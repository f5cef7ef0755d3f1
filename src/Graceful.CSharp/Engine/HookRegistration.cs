using System.Globalization;
using Graceful.Core;
using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;

namespace Graceful.Engine;

/// <summary>A hook as the user registered it.</summary>
internal sealed record HookRegistration(
    string Name,
    bool AfterDrain,
    TimeSpan Limit,
    IReadOnlyList<string>? After,
    HookFailurePolicy OnFailure,
    Func<StopReason, CancellationToken, Task> Run)
{
    private static readonly TimeSpan MostLimit = TimeSpan.FromDays(1);

    /// <exception cref="ArgumentNullException">The name, the hook, or a name in the list is null.</exception>
    public static HookRegistration Of(
        string name, bool afterDrain, TimeSpan limit, Func<StopReason, CancellationToken, Task> hook, IEnumerable<string>? after, HookFailurePolicy onFailure)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(hook);
        string[]? names = after is null ? null : [.. after];
        if (names is not null && names.Contains(null))
        {
            throw new ArgumentNullException(nameof(after), $"A name that the hook '{name}' waits for is null.");
        }

        return new HookRegistration(name, afterDrain, limit, names, onFailure, hook);
    }

    /// <summary>A synchronous hook as one that is over when it returns.</summary>
    /// <exception cref="ArgumentNullException">The hook is null.</exception>
    public static Func<StopReason, CancellationToken, Task> Awaited(Action<StopReason, CancellationToken> hook)
    {
        ArgumentNullException.ThrowIfNull(hook);
        return (reason, token) =>
        {
            hook(reason, token);
            return Task.CompletedTask;
        };
    }

    /// <summary>What is wrong with it by itself, each with what is allowed.</summary>
    public IEnumerable<string> Errors()
    {
        if (string.IsNullOrWhiteSpace(Name))
        {
            yield return $"The name of a hook is '{Name}'; allowed is any that is not empty.";
        }

        if (Limit <= TimeSpan.Zero || Limit > MostLimit)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture, $"The limit of the hook '{Name}' is {Limit}; allowed is more than zero and at most 1.00:00:00.");
        }

        if (!Enum.IsDefined(OnFailure))
        {
            yield return $"The failure policy of the hook '{Name}' is {OnFailure}; allowed is {string.Join(" or ", Enum.GetNames<HookFailurePolicy>())}.";
        }
    }

    /// <summary>What is wrong with it among others, in words.</summary>
    public static string TextOf(HookFault fault) => fault switch
    {
        HookFault.DoubleName twice => $"The hook '{twice.name}' was added more than once; allowed is one hook of a name.",
        HookFault.UnknownName unknown => $"The hook '{unknown.hook}' is to run after '{unknown.after}', and there is none of that name; allowed are names of hooks of the same stage.",
        HookFault.OtherStage other => $"The hook '{other.hook}' is to run after '{other.after}', which runs in the other stage; allowed are names of hooks of the same stage.",
        HookFault.Cycle cycle => $"The hooks {string.Join(", ", cycle.names.Select(name => $"'{name}'"))} wait for each other in a circle, each for the next; allowed is any order that begins somewhere.",
        _ => throw new NotSupportedException($"Nobody has words for {fault} yet."),
    };

    public Hook ToCore() => new(
        Name,
        AfterDrain ? HookStage.AfterDrain : HookStage.BeforeDrain,
        Limit,
        After is null ? FSharpValueOption<FSharpList<string>>.None : FSharpValueOption<FSharpList<string>>.Some(ListModule.OfSeq(After)),
        OnFailure == HookFailurePolicy.Force ? FailurePolicy.Force : FailurePolicy.Continue);
}
