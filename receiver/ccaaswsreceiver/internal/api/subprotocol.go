// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Subprotocols returns those of subprotocol: auto, the preferred first: the API's own,
// then other versions of it from the newest to the oldest, then the others in the order
// of the configuration. It is empty where none is requested.
func (p *Profile) Subprotocols(configured []string) []string {
	var versions, others []string
	for _, name := range configured {
		if _, known := versionOf(name, p.Subprotocol); known {
			versions = append(versions, name)
		} else {
			others = append(others, name)
		}
	}
	slices.SortStableFunc(versions, func(a, b string) int {
		newer, _ := versionOf(b, p.Subprotocol)
		older, _ := versionOf(a, p.Subprotocol)
		return cmp.Compare(newer, older)
	})
	var ordered []string
	for _, name := range slices.Concat([]string{p.Subprotocol}, versions, others) {
		if name != "" && !slices.Contains(ordered, name) {
			ordered = append(ordered, name)
		}
	}
	return ordered
}

// versioned matches the version in v2.realtime-events and nice.digital.v1.
var versioned = regexp.MustCompile(`^((?:.*\.)?v)([0-9]{1,9})(|\..*)$`)

// versionOf returns the version of a subprotocol that differs from another by its version
// only.
func versionOf(name, other string) (int, bool) {
	parts, others := versioned.FindStringSubmatch(name), versioned.FindStringSubmatch(other)
	if parts == nil || others == nil || parts[1] != others[1] || parts[3] != others[3] {
		return 0, false
	}
	version, err := strconv.Atoi(parts[2])
	return version, err == nil
}

// PlatformOf returns the platform that has a host of its own at an endpoint, which is a
// host or a URL.
func PlatformOf(endpoint string) (string, bool) {
	if !strings.Contains(endpoint, "://") {
		endpoint = "wss://" + endpoint
	}
	address, err := url.Parse(endpoint)
	if err != nil {
		return "", false
	}
	host := hostOf(address)
	for _, one := range all() {
		profile := one.Profile()
		for _, domain := range profile.domains {
			if matches(domain, host) || matches("*."+domain, host) {
				return profile.Platform, true
			}
		}
		if slices.ContainsFunc(profile.AllowedHosts, func(pattern string) bool { return matches(pattern, host) }) {
			return profile.Platform, true
		}
	}
	return "", false
}
