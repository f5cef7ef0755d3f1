namespace Graceful.Core.Tests.Simulation

open System.Numerics

/// When an actor is due, and where in the wheel it is.
[<Struct; NoEquality; NoComparison>]
type private Appointment =
    { mutable Due: int
      mutable Row: int16
      mutable Place: int16 }

/// Who is due when, found without a look at everybody: one row of actors for each of the next milliseconds.
/// Who is due later than the wheel reaches waits in its last row, and is put off when that row's time comes.
[<Sealed>]
type Wheel(actors: int) =
    let rows = 256
    // Were this a power of two, the beginnings of all rows would want the same lines of the cache.
    let width = (actors + 31) / 32 * 32 + 32
    let entries: int16[] = Array.zeroCreate (rows * width)
    let counts: int[] = Array.zeroCreate rows
    let occupied: uint64[] = Array.zeroCreate (rows / 64)
    let book = Array.create actors { Due = Time.Never; Row = 0s; Place = 0s }
    let mutable now = 0

    let take actor =
        let row, place = int book[actor].Row, int book[actor].Place
        let left = counts[row] - 1
        let last = entries[row * width + left]
        entries[row * width + place] <- last
        book[int last].Place <- int16 place
        counts[row] <- left
        if left = 0 then occupied[row >>> 6] <- occupied[row >>> 6] &&& ~~~(1UL <<< row)

    let put actor due =
        let row = (min (max due now) (now + rows - 1)) &&& (rows - 1)
        let place = counts[row]
        entries[row * width + place] <- int16 actor
        book[actor].Row <- int16 row
        book[actor].Place <- int16 place
        counts[row] <- place + 1
        if place = 0 then occupied[row >>> 6] <- occupied[row >>> 6] ||| (1UL <<< row)

    /// The time of the first row from now on that has anybody in it.
    let nextRow () =
        let first = now &&& (rows - 1)
        let mutable word = first >>> 6
        let mutable bits = occupied[word] &&& (System.UInt64.MaxValue <<< first)
        let mutable words = 0
        // Once round, and the first word again for what lies before `first`.
        while bits = 0UL && words < occupied.Length do
            words <- words + 1
            word <- (word + 1) &&& (occupied.Length - 1)
            bits <- occupied[word]
        if bits = 0UL then Time.Never
        else
            let row = (word <<< 6) + BitOperations.TrailingZeroCount bits
            now + ((row - first) &&& (rows - 1))

    let putOff row =
        let mutable place = counts[row] - 1
        while place >= 0 do
            let actor = int entries[row * width + place]
            if book[actor].Due > now then
                take actor
                put actor book[actor].Due
            place <- place - 1

    member _.Reset() =
        for actor in 0 .. actors - 1 do
            if book[actor].Due <> Time.Never then
                take actor
                book[actor].Due <- Time.Never
        now <- 0

    member _.Due actor = book[actor].Due

    /// When it is this actor's turn; `Never` takes it off.
    member _.Schedule(actor, at) =
        let due = if at >= Time.Done then Time.Never else at
        let before = book[actor].Due
        if due <> before then
            if before <> Time.Never then take actor
            book[actor].Due <- due
            if due <> Time.Never then put actor due

    /// Goes on to when the first actor is due, or to `limit` if nobody is due before it; says whether somebody is due.
    member _.GoOn limit =
        let mutable found = false
        let mutable at = nextRow ()
        while not found && at <= limit && at <> Time.Never do
            if at > now then
                now <- at
                putOff (now &&& (rows - 1))
            if counts[now &&& (rows - 1)] > 0 then found <- true else at <- nextRow ()
        if not found && limit <> Time.Never then now <- max now limit
        found

    member _.Now = now

    /// How many are due now.
    member _.Ready = counts[now &&& (rows - 1)]

    /// One of those who are due now.
    member _.At place = int entries[(now &&& (rows - 1)) * width + place]
