// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package platform says what the receiver has to know of a platform before it
// can talk to it: hosts, paths, subprotocols, words. It is data alone.
package platform

import (
	"maps"
	"slices"
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
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

// Names of the APIs.
const (
	RealtimeEvents = "realtime_events" // the contract, on every platform
	Notifications  = "notifications"   // of Genesys Cloud
	EventHub       = "event_hub"       // of NICE CXone
)

// What the size of a message is.
const (
	SizeOfEvent  = "event"  // what the event says
	SizeOfText   = "text"   // the length of the text, in UTF-8
	SizeOfObject = "object" // the length of the event's object, as received
	SizeOfNone   = "none"   // nothing: no message has a size
)

// NICEDiscovery is where NICE CXone says where things are.
const NICEDiscovery = "https://cxone.niceincontact.com"

// Profile is one platform.
type Profile struct {
	Name string

	// AbnormalReasons are the close reasons that mean a dropped connection where
	// a close event has no code.
	AbnormalReasons []string

	// AllowedHosts are the hosts that may get credentials where an answer of the
	// platform names them; *.example.com stands for all below it.
	AllowedHosts []string

	apis    map[string]API
	domains map[string]string // by region
}

// API is one way to have the events of a platform.
type API struct {
	Name string
	// Subprotocol is what is spoken on the socket; empty: none is asked for.
	Subprotocol string
	// Scopes are what a token is asked for unless configured otherwise.
	Scopes []string
	// Fields and Types say where an event's facts are.
	Fields jsonevent.Fields
	Types  jsonevent.Types
	// PayloadSize says what a message's size is, unless configured otherwise.
	PayloadSize string
	// Talk is what is said on the socket besides events.
	Talk wsclient.Protocol
	// Heartbeat and Pace are the defaults.
	Heartbeat wsclient.Heartbeat
	Pace      wsclient.Backoff
}

// Hosts are where a platform is reached in a region.
type Hosts struct {
	API   string
	Login string
	// Streaming is where the sockets of notification channels are.
	Streaming string
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
		profile.apis = map[string]API{RealtimeEvents: realtimeEvents("v2.realtime-events"), Notifications: notifications()}
		profile.domains = genesysDomains()
	case NICECXone:
		profile.apis = map[string]API{RealtimeEvents: realtimeEvents("nice.digital.v1"), EventHub: eventHub()}
		profile.AllowedHosts = []string{"*.niceincontact.com", "*.nice-incontact.com", "*.incontact.com"}
	case Custom:
		profile.apis = map[string]API{RealtimeEvents: realtimeEvents("")}
	default:
		return Profile{}, false
	}
	return profile, true
}

// API finds one of the platform's APIs.
func (p *Profile) API(name string) (API, bool) {
	api, known := p.apis[name]
	return api, known
}

// APIs are the names of the platform's APIs.
func (p *Profile) APIs() []string { return slices.Sorted(maps.Keys(p.apis)) }

// Hosts finds the hosts of a region, written with hyphens or underscores.
func (p *Profile) Hosts(region string) (Hosts, bool) {
	domain, ok := p.domains[hyphened(region)]
	if !ok {
		return Hosts{}, false
	}
	return Hosts{API: "api." + domain, Login: "login." + domain, Streaming: "streaming." + domain}, true
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
