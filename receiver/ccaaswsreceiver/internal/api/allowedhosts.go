// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// allowedHosts are the hosts that may get credentials when a response of the platform
// names them.
type allowedHosts struct {
	config     *Config
	configured []string // hosts of the configuration; their registrable domains are allowed, too
	listed     []string // allowed_hosts, or the profile's: names, and *.example.com for all below one
}

func (c *Config) allowedHosts(p *Profile, at *Endpoints) *allowedHosts {
	a := &allowedHosts{config: c, listed: c.AllowedHosts}
	if region, known := p.hosts(c.Region); known && c.Endpoint == "" { // all hosts of a region are known
		if len(a.listed) == 0 {
			a.listed = []string{region.streaming}
		}
		return a
	}
	if len(a.listed) == 0 {
		a.listed = p.AllowedHosts
	}
	for _, address := range []*url.URL{at.API, at.Socket, at.Token, at.URLFrom} {
		if address != nil && !slices.Contains(a.configured, hostOf(address)) {
			a.configured = append(a.configured, hostOf(address))
		}
	}
	return a
}

// check returns an error unless credentials may be sent to an address: encrypted, and to
// an allowed host. It normalizes the host, so that the host that is dialled is the one
// that was checked: a name server may resolve LOCALHOST to another address.
func (a *allowedHosts) check(at *url.URL) error {
	normalized, err := a.config.address(at.String())
	if err != nil {
		return err
	}
	host := hostOf(at)
	if a.allows(host) {
		at.Host = normalized.Host
		return nil
	}
	return fmt.Errorf("host %.255q %w: it is neither %s nor in its domain, nor one of allowed_hosts (%s); "+
		"if the platform is there, add it to allowed_hosts", host, wsclient.ErrHostRefused, orNone(a.configured), orNone(a.listed))
}

func (a *allowedHosts) allows(host string) bool {
	return slices.ContainsFunc(a.configured, func(known string) bool { return sameSite(known, host) }) ||
		slices.ContainsFunc(a.listed, func(pattern string) bool { return matches(strings.ToLower(pattern), host) })
}

func orNone(hosts []string) string {
	if len(hosts) == 0 {
		return "none"
	}
	return strings.Join(hosts, ", ")
}

// matches reports whether a host is the one listed, or below it for *.example.com.
func matches(pattern, host string) bool {
	if domain, below := strings.CutPrefix(pattern, "*."); below {
		return strings.HasSuffix(host, "."+domain)
	}
	return pattern == host
}

// sameSite reports whether two hosts are the same, of one registrable domain, or both
// loopback.
func sameSite(known, host string) bool {
	domain := registrable(known)
	return known == host || loopback(known) && loopback(host) || domain != "" && domain == registrable(host)
}

// registrable returns the domain below a public suffix that a host belongs to. It is
// empty for IP addresses and for names outside of the public DNS, such as those of a
// cluster, which have no single owner.
func registrable(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	suffix, managed := publicsuffix.PublicSuffix(host)
	if !managed && !strings.Contains(suffix, ".") {
		return ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return ""
	}
	return domain
}

// hostOf returns the normalized host of an address.
func hostOf(at *url.URL) string { return strings.TrimSuffix(strings.ToLower(at.Hostname()), ".") }

// ValidateAllowedHosts reports entries that are not hosts, or whose domain has no single
// owner.
func ValidateAllowedHosts(entries []string) error {
	var errs []error
	for i, entry := range entries {
		key := fmt.Sprintf("allowed_hosts[%d]", i)
		domain, below := strings.CutPrefix(strings.ToLower(entry), "*.")
		_, err := netip.ParseAddr(domain)
		ip := err == nil
		suffix, _ := publicsuffix.PublicSuffix(domain)
		switch {
		case !ip && (domain == "" || strings.ContainsFunc(domain, notHost)):
			errs = append(errs, Need(false, key, entry, "a host such as login.example.com, without scheme, port and path, or *.example.com for all below it"))
		case below && (ip || suffix == domain):
			errs = append(errs, Need(false, key, entry, "a host, or *. and a domain of one owner"))
		}
	}
	return errors.Join(errs...)
}

// notHost reports whether a character cannot be in the name of a host.
func notHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
}
