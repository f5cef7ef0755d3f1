namespace Graceful.FastCgi;

/// <summary>What a record is, by the numbers of FastCGI 1.0.</summary>
internal enum RecordType : byte
{
    None = 0,
    BeginRequest = 1,
    AbortRequest = 2,
    EndRequest = 3,
    Params = 4,
    StandardInput = 5,
    StandardOutput = 6,
    StandardError = 7,
    GetValues = 9,
    GetValuesResult = 10,
    UnknownType = 11,
}
