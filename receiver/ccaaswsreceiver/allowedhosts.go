// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/platform"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// allowedHosts are the hosts that may get credentials when a platform's answer, and
// not the configuration, names them.
type allowedHosts struct {
	config     *Config
	configured []string // hosts that the configuration names, which include those of their registrable domains
	listed     []string // allowed_hosts, or the platform's: names, and *.example.com for all below one
}

// allowedHosts returns those of a configuration whose target is known.
func (c *Config) allowedHosts(profile *platform.Profile, at *target) *allowedHosts {
	a := &allowedHosts{config: c, listed: c.AllowedHosts}
	region := platform.Hosts{}
	if c.Endpoint == "" {
		region, _ = profile.Hosts(c.Region)
	}
	if len(a.listed) == 0 {
		a.listed = profile.AllowedHosts
	}
	if region.Streaming != "" { // the region's hosts are all known
		if len(c.AllowedHosts) == 0 {
			a.listed = []string{region.Streaming}
		}
		return a
	}
	for _, address := range []*url.URL{at.api, at.socket, at.token, at.urlFrom} {
		if address != nil && !slices.Contains(a.configured, hostOf(address)) {
			a.configured = append(a.configured, hostOf(address))
		}
	}
	return a
}

// check refuses an address that a platform has answered with unless credentials may
// go there: encrypted, and to an allowed host. What is dialled is spelled as what was
// looked at: a name server may know another LOCALHOST.
func (a *allowedHosts) check(at *url.URL) error {
	spelled, err := a.config.address(at.String())
	if err != nil {
		return err
	}
	host := hostOf(at)
	if a.allows(host) {
		at.Host = spelled.Host
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

// matches is whether a host is the one listed, or below it where that is *.example.com.
func matches(pattern, host string) bool {
	if domain, below := strings.CutPrefix(pattern, "*."); below {
		return strings.HasSuffix(host, "."+domain)
	}
	return pattern == host
}

// sameSite is whether two hosts are the same, or of one registrable domain, or both
// this machine.
func sameSite(known, host string) bool {
	domain := registrable(known)
	return known == host || loopback(known) && loopback(host) || domain != "" && domain == registrable(host)
}

// registrable is the domain below a public suffix that a host belongs to. It is
// empty for addresses and for names outside of the public DNS, such as those of a
// cluster, which many own together.
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

// hostOf is the host of an address, in one spelling.
func hostOf(at *url.URL) string { return strings.TrimSuffix(strings.ToLower(at.Hostname()), ".") }

// validateAllowedHosts reports entries that are no hosts, or would allow everybody.
func (c *Config) validateAllowedHosts() error {
	var errs []error
	for i, entry := range c.AllowedHosts {
		key := fmt.Sprintf("allowed_hosts[%d]", i)
		domain, below := strings.CutPrefix(strings.ToLower(entry), "*.")
		_, err := netip.ParseAddr(domain)
		ip := err == nil
		suffix, _ := publicsuffix.PublicSuffix(domain)
		switch {
		case !ip && (domain == "" || strings.ContainsFunc(domain, notHost)):
			errs = append(errs, need(false, key, entry, "a host such as login.example.com, without scheme, port and path, or *.example.com for all below it"))
		case below && (ip || suffix == domain):
			errs = append(errs, need(false, key, entry, "a host, or *. and a domain of one owner"))
		}
	}
	return errors.Join(errs...)
}

// notHost reports characters that cannot be in the name of a host.
func notHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
}
