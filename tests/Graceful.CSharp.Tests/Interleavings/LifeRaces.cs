namespace Graceful.Tests.Interleavings;

/// <summary>Threads that accept, serve, lose and force connections while the engine drains.</summary>
[Collection(nameof(Alone))]
public sealed class LifeRaces
{
    [Fact]
    public void No_race_with_the_way_out_breaks_a_rule() =>
        new Rounds("Life", LifeRace.Outcomes, (round, threads) => new LifeRace(round, threads, LifeRace.Mistake.None)).Play();

    [Theory]
    [InlineData(nameof(LifeRace.Mistake.EnterBeforeRegister))]
    [InlineData(nameof(LifeRace.Mistake.RetireForgotten))]
    [InlineData(nameof(LifeRace.Mistake.LeaveTwice))]
    public void Mistakes_are_found(string mistake) =>
        new Rounds(mistake, LifeRace.Outcomes, (round, threads) => new LifeRace(round, threads, Enum.Parse<LifeRace.Mistake>(mistake))).Find();
}
