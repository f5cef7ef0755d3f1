/// When a certificate is used: every look at every state of its files, and generated stories of files that somebody writes.
module Graceful.Core.Tests.CertificateTests

open System
open FsCheck
open FsCheck.FSharp
open Graceful.Core
open Xunit

let private start = DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero)
let private notBefore = start.AddDays 1.0
let private notAfter = start.AddDays 2.0

/// Around both ends of a certificate's time.
let private moments =
    [ start
      notBefore.AddTicks -1L
      notBefore
      notBefore.AddHours 1.0
      notAfter
      notAfter.AddTicks 1L
      notAfter.AddDays 1.0 ]

let private look isAsBefore isInUse isUsable =
    { IsAsBefore = isAsBefore
      IsInUse = isInUse
      IsUsable = isUsable
      NotBefore = notBefore
      NotAfter = notAfter }

let private all =
    [ for files in [ CertificateFiles.Fresh; CertificateFiles.Refused; CertificateFiles.Settled ] do
          for now in moments do
              for isAsBefore in [ false; true ] do
                  for isInUse in [ false; true ] do
                      for isUsable in [ false; true ] do
                          files, now, look isAsBefore isInUse isUsable ]

[<Fact>]
let ``a certificate is used from the first to the last moment of its time`` () =
    let expected =
        [ ValueSome CertificateFault.NotYetValid
          ValueSome CertificateFault.NotYetValid
          ValueNone
          ValueNone
          ValueNone
          ValueSome CertificateFault.Expired
          ValueSome CertificateFault.Expired ]
    Assert.Equal<_ list>(expected, moments |> List.map (fun now -> CertificateFiles.fault now (look true false true)))
    for now in moments do
        Assert.Equal(ValueSome CertificateFault.Unusable, CertificateFiles.fault now (look true false false))

[<Fact>]
let ``the table of all looks`` () =
    for files, now, look in all do
        let isGood = look.IsUsable && now >= notBefore && now <= notAfter
        let why =
            if not look.IsUsable then CertificateFault.Unusable
            elif now < notBefore then CertificateFault.NotYetValid
            else CertificateFault.Expired
        let expected =
            match look.IsAsBefore, files, look.IsInUse, isGood with
            | false, _, _, _ -> struct (CertificateFiles.Fresh, CertificateVerdict.LookAgain)
            | true, CertificateFiles.Settled, _, _ -> struct (CertificateFiles.Settled, CertificateVerdict.Keep)
            | true, _, true, _ -> struct (CertificateFiles.Settled, CertificateVerdict.Keep)
            | true, _, false, true -> struct (CertificateFiles.Settled, CertificateVerdict.Take)
            | true, CertificateFiles.Fresh, false, false -> struct (CertificateFiles.Refused, CertificateVerdict.Refuse why)
            | true, CertificateFiles.Refused, false, false -> struct (CertificateFiles.Refused, CertificateVerdict.Keep)
        Assert.Equal(expected, CertificateFiles.step now look files)

[<Fact>]
let ``files that have just changed are looked at again before the next second`` () =
    Assert.InRange(CertificateFiles.settleTime, TimeSpan.FromMilliseconds 1.0, TimeSpan.FromSeconds 1.0)

/// What somebody writes: the number of the bytes, and whether they are usable. The moments go on.
let private stories =
    Gen.listOf (Gen.zip (Gen.choose (0, 3)) (Gen.choose (0, 2)))
    |> Gen.map (
        List.scan (fun (now: DateTimeOffset, _) (bytes, pause) -> now.AddHours(float pause * 5.0), bytes) (start, 0)
        >> List.map (fun (now, bytes) -> now, bytes, bytes <> 2)
    )

let private run story =
    let folder (before, inUse, files, told) (now, bytes, isUsable) =
        let found = look (before = bytes) (inUse = bytes) isUsable
        let struct (next, verdict) = CertificateFiles.step now found files
        let inUse = if verdict = CertificateVerdict.Take then bytes else inUse
        bytes, inUse, next, (now, bytes, isUsable, found.IsAsBefore, verdict) :: told
    let _, _, _, told = story |> List.fold folder (0, 0, CertificateFiles.Settled, [])
    List.rev told

let private forAll holds =
    let config =
        Config.QuickThrowOnFailure
            .WithQuietOnSuccess(true)
            .WithMaxTest(2000)
            .WithReplay(Some { Rnd = Rnd(2026UL, 0x9E3779B97F4A7C15UL); Size = None })
    Check.One(config, Prop.forAll (Arb.fromGen stories) (run >> holds))

[<Fact>]
let ``nothing is taken that is unusable, out of its time or was not seen twice`` () =
    forAll (
        List.forall (fun (now, _, isUsable, isAsBefore, verdict) ->
            verdict <> CertificateVerdict.Take || (isUsable && isAsBefore && now >= notBefore && now <= notAfter))
    )

[<Fact>]
let ``a fault is said once a change`` () =
    forAll (fun told ->
        told
        |> List.fold
            (fun (isSaid, holds) (_, _, _, isAsBefore, verdict) ->
                let isSaidBefore = isSaid && isAsBefore
                match verdict with
                | CertificateVerdict.Refuse _ -> true, holds && not isSaidBefore
                | _ -> isSaidBefore, holds)
            (false, true)
        |> snd)

[<Fact>]
let ``what is good and stays is taken at the second look`` () =
    forAll (fun told ->
        told
        |> List.pairwise
        |> List.forall (fun ((_, _, _, _, first), (now, _, isUsable, isAsBefore, verdict)) ->
            let isGood = isUsable && now >= notBefore && now <= notAfter
            not (first = CertificateVerdict.LookAgain && isAsBefore && isGood)
            || verdict = CertificateVerdict.Take
            || verdict = CertificateVerdict.Keep))
