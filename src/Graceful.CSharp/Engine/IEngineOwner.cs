namespace Graceful.Engine;

/// <summary>What a user holds as <see cref="IGraceful"/>, for those of us who join its way out.</summary>
internal interface IEngineOwner
{
    LifecycleEngine Engine { get; }
}
