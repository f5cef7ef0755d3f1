namespace Graceful.Tests.Conformance;

/// <summary>Something that is done, by a client where one is needed.</summary>
internal readonly record struct Command(Act Act, int Client = 0)
{
    public override string ToString() => Act is Act.Signal or Act.Pass or Act.SeeOut ? $"{Act}" : $"{Act} {Client}";
}
