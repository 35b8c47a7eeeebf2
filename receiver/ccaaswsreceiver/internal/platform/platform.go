// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package platform says what the receiver has to know of a platform before it
// can talk to it: hosts, paths, subprotocols, words. It is data alone.
package platform

import (
	"maps"
	"slices"
	"strings"
)

// Names of the platforms.
const (
	GenesysCloud = "genesys_cloud"
	NICECXone    = "nice_cxone"
	Custom       = "custom"
)

// Paths of the realtime events contract, the same on every platform.
const (
	TokenPath  = "/oauth/token" //nolint:gosec // a path, not a credential
	StreamPath = "/api/v2/analytics/events/realtime"
)

// Profile is one platform.
type Profile struct {
	Name string

	// Subprotocol is what the platform speaks on the socket; empty: none is asked for.
	Subprotocol string

	// AbnormalReasons are the close reasons that mean a dropped connection where
	// a close event has no code.
	AbnormalReasons []string

	domains map[string]string // by region
}

// Hosts are where a platform is reached in a region.
type Hosts struct {
	API   string
	Login string
}

// Names are the platforms there are.
func Names() []string { return []string{GenesysCloud, NICECXone, Custom} }

// Lookup finds a platform.
func Lookup(name string) (Profile, bool) {
	profile := Profile{
		Name:            name,
		AbnormalReasons: []string{"transport.failure", "error", "timeout", "system", "uncallable"},
	}
	switch name {
	case GenesysCloud:
		profile.Subprotocol = "v2.realtime-events"
		profile.domains = genesysDomains()
	case NICECXone:
		profile.Subprotocol = "nice.digital.v1"
	case Custom:
	default:
		return Profile{}, false
	}
	return profile, true
}

// Hosts finds the hosts of a region, written with hyphens or underscores.
func (p *Profile) Hosts(region string) (Hosts, bool) {
	domain, ok := p.domains[hyphened(region)]
	return Hosts{API: "api." + domain, Login: "login." + domain}, ok
}

// Region is the one spelling of a region: a known one in hyphens, as events have
// it, any other as it is.
func (p *Profile) Region(region string) string {
	if _, known := p.Hosts(region); known {
		return hyphened(region)
	}
	return region
}

// Regions are the regions whose hosts are known.
func (p *Profile) Regions() []string { return slices.Sorted(maps.Keys(p.domains)) }

func hyphened(region string) string { return strings.ReplaceAll(region, "_", "-") }

// genesysDomains are the domains of Genesys Cloud by region, as in the platform's
// own client libraries.
func genesysDomains() map[string]string {
	return map[string]string{
		"us-east-1":      "mypurecloud.com",
		"us-east-2":      "use2.us-gov-pure.cloud",
		"us-west-2":      "usw2.pure.cloud",
		"ca-central-1":   "cac1.pure.cloud",
		"mx-central-1":   "mxc1.pure.cloud",
		"sa-east-1":      "sae1.pure.cloud",
		"eu-central-1":   "mypurecloud.de",
		"eu-central-2":   "euc2.pure.cloud",
		"eu-west-1":      "mypurecloud.ie",
		"eu-west-2":      "euw2.pure.cloud",
		"eusc-de-east-1": "edee1.eusc-pure.cloud",
		"me-central-1":   "mec1.pure.cloud",
		"ap-south-1":     "aps1.pure.cloud",
		"ap-southeast-1": "apse1.pure.cloud",
		"ap-southeast-2": "mypurecloud.com.au",
		"ap-northeast-1": "mypurecloud.jp",
		"ap-northeast-2": "apne2.pure.cloud",
		"ap-northeast-3": "apne3.pure.cloud",
	}
}
