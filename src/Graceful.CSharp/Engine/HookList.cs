using System.Collections;

namespace Graceful.Engine;

/// <summary>The hooks under the indices by which the core knows them. One more may come at the end while others read.</summary>
internal sealed class HookList(IEnumerable<HookRegistration> hooks) : IReadOnlyList<HookRegistration>
{
    private volatile HookRegistration[] _hooks = [.. hooks];

    public int Count => _hooks.Length;

    public HookRegistration this[int index] => _hooks[index];

    /// <summary>One caller at a time.</summary>
    public void Add(HookRegistration hook) => _hooks = [.. _hooks, hook];

    public IEnumerator<HookRegistration> GetEnumerator() => _hooks.AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
