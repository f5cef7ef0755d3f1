using System.Collections;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Graceful.Kestrel;

/// <summary>The addresses of a server whose endpoints are served from other sockets than they are configured with. What is set is Kestrel's, what is read is the truth.</summary>
internal sealed class GivenAddresses(IServerAddressesFeature kestrels, GivenListeners given) : IServerAddressesFeature, ICollection<string>
{
    public ICollection<string> Addresses => this;

    public bool PreferHostingUrls
    {
        get => kestrels.PreferHostingUrls;
        set => kestrels.PreferHostingUrls = value;
    }

    public int Count => All().Count;

    public bool IsReadOnly => kestrels.Addresses.IsReadOnly;

    public void Add(string item) => kestrels.Addresses.Add(item);

    public void Clear() => kestrels.Addresses.Clear();

    public bool Remove(string item) => kestrels.Addresses.Remove(item);

    public bool Contains(string item) => All().Contains(item);

    public void CopyTo(string[] array, int arrayIndex) => All().CopyTo(array, arrayIndex);

    public IEnumerator<string> GetEnumerator() => All().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private List<string> All() => [.. kestrels.Addresses.SelectMany(given.InTruth)];
}
