// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package fault is what can go wrong on request: the trouble of the moment, failures in
// place of HTTP responses, rejected topics, and kinds of malformed frames.
package fault

import (
	"errors"
	"flag"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/internal/flags"
)

// Trouble is every fault that can be requested. It can be changed while the
// simulator runs; the flags of the same names explain each field.
type Trouble struct {
	BurstEvery    time.Duration
	BurstDuration time.Duration
	BurstDropRate float64
	BurstTenant   string
	BurstRegion   string
	bursts        int // requested so far

	CampaignEvery    time.Duration
	CampaignDuration time.Duration
	CampaignFactor   float64
	CampaignTenant   string
	campaigns        int // requested so far

	Malformed      float64
	MalformedKinds []string
	OversizedBytes int
	Duplicates     float64
	Jitter         time.Duration
	Skew           time.Duration
	SkewRegion     string

	AnswerSubprotocol string
	AnswerScopes      []string
	Certificate       string
	TokenFail         Failure
	PreflightFail     Failure
	UpgradeFail       Failure
	RetryAfterDate    bool
	RateLimit         int

	ChannelFail        Failure
	SubscriptionFail   Failure
	QueuesFail         Failure
	AnalyticsFail      Failure
	AnalyticsFailPath  string
	AnalyticsLatency   time.Duration
	AnalyticsTruncate  int
	AnalyticsShift     int
	SelfCheckFail      Failure
	MissingPermissions []string
	ConfigurationFail  Failure
	ConnectionFail     Failure
	TopicReject        Rejection
	ChannelTTL         time.Duration
	SocketClosingEvery time.Duration
	SocketClosingGrace time.Duration
	NoPong             bool
	RateLimited        bool

	Silence      bool
	SilenceAfter time.Duration
	SilenceFor   time.Duration
	ResetEvery   time.Duration
	CloseEvery   time.Duration
	CloseCode    int
	CloseReason  string
	CloseExpired bool

	SinkFail  Failure
	SinkHang  time.Duration
	SinkReset bool
}

// Values of AnswerSubprotocol, other than a literal one.
const (
	AnswerSame = "same"
	AnswerNone = "none"
)

// Values of Certificate.
const (
	GoodCertificate      = "good"
	ExpiredCertificate   = "expired"
	ExpiringCertificate  = "expiring"   // in three days
	UntrustedCertificate = "untrusted"  // of another CA
	OtherHostCertificate = "other-host" // for another name
)

var certificates = []string{GoodCertificate, ExpiredCertificate, ExpiringCertificate, UntrustedCertificate, OtherHostCertificate}

// Permits reports whether the client has a permission.
func (t *Trouble) Permits(permission string) bool {
	return !slices.Contains(t.MissingPermissions, permission)
}

// DefaultTrouble is none, with defaults for the details of each fault.
func DefaultTrouble() Trouble {
	return Trouble{
		BurstDuration:      20 * time.Second,
		BurstDropRate:      30,
		CampaignDuration:   2 * time.Minute,
		CampaignFactor:     3,
		MalformedKinds:     MalformedKinds(),
		OversizedBytes:     1<<20 + 1,
		AnswerSubprotocol:  AnswerSame,
		Certificate:        GoodCertificate,
		ChannelTTL:         24 * time.Hour,
		SocketClosingGrace: time.Minute,
		CloseCode:          1001,
		CloseReason:        "maintenance",
	}
}

// Validate reports all invalid settings, each with its flag.
func (t *Trouble) Validate() error {
	return errors.Join(
		flags.Need(t.BurstEvery >= 0, "burst-every", t.BurstEvery, "0 (off) or more"),
		flags.Need(t.BurstDuration > 0, "burst-duration", t.BurstDuration, "more than 0"),
		flags.Need(t.BurstEvery == 0 || t.BurstDuration <= t.BurstEvery, "burst-duration", t.BurstDuration, "no more than --burst-every"),
		flags.Percent("burst-drop-rate", t.BurstDropRate),
		flags.Need(t.CampaignEvery >= 0, "campaign-every", t.CampaignEvery, "0 (off) or more"),
		flags.Need(t.CampaignDuration > 0, "campaign-duration", t.CampaignDuration, "more than 0"),
		flags.Need(t.CampaignEvery == 0 || t.CampaignDuration < t.CampaignEvery, "campaign-duration", t.CampaignDuration, "less than --campaign-every"),
		flags.Need(t.CampaignFactor >= 1 && t.CampaignFactor <= 100, "campaign-factor", t.CampaignFactor, "1 to 100"),
		flags.Share("malformed", t.Malformed),
		t.validateKinds(),
		flags.Need(t.OversizedBytes > 0 && t.OversizedBytes <= 64<<20, "oversized-bytes", t.OversizedBytes, "1 to 64 MiB"),
		flags.Share("duplicates", t.Duplicates),
		flags.Need(t.Jitter >= 0 && t.Jitter <= time.Minute, "jitter", t.Jitter, "0 to 1m"),
		flags.Need(t.AnswerSubprotocol != "", "answer-subprotocol", t.AnswerSubprotocol, "same, none or a subprotocol"),
		flags.Need(slices.Contains(certificates, t.Certificate), "certificate", t.Certificate, "one of "+strings.Join(certificates, ", ")),
		t.TokenFail.validate("token-fail"),
		t.PreflightFail.validate("preflight-fail"),
		t.UpgradeFail.validate("upgrade-fail"),
		flags.Need(t.RateLimit >= 0, "rate-limit", t.RateLimit, "0 (off) or more calls in a minute"),
		t.ChannelFail.validate("channel-fail"),
		t.SubscriptionFail.validate("subscription-fail"),
		t.QueuesFail.validate("queues-fail"),
		t.AnalyticsFail.validate("analytics-fail"),
		flags.Need(t.AnalyticsLatency >= 0, "analytics-latency", t.AnalyticsLatency, "0 or more"),
		flags.Need(t.AnalyticsTruncate >= 0, "analytics-truncate", t.AnalyticsTruncate, "0 (off) or more"),
		flags.Need(t.AnalyticsShift >= 0, "analytics-shift", t.AnalyticsShift, "0 (off) or more"),
		t.SelfCheckFail.validate("self-check-fail"),
		t.ConfigurationFail.validate("configuration-fail"),
		t.ConnectionFail.validate("connection-fail"),
		flags.Share("topic-reject", t.TopicReject.Share),
		flags.Need(!slices.Contains(t.TopicReject.Texts, ""), "topic-reject", t.TopicReject, "a share, or texts of which none is empty"),
		flags.Need(t.ChannelTTL > 0, "channel-ttl", t.ChannelTTL, "more than 0"),
		flags.Need(t.SocketClosingEvery >= 0, "socket-closing-every", t.SocketClosingEvery, "0 (off) or more"),
		flags.Need(t.SocketClosingGrace > 0, "socket-closing-grace", t.SocketClosingGrace, "more than 0"),
		flags.Need(t.SilenceAfter >= 0, "silence-after", t.SilenceAfter, "0 (off) or more"),
		flags.Need(t.SilenceFor >= 0, "silence-for", t.SilenceFor, "0 (for good) or more"),
		flags.Need(t.ResetEvery >= 0, "reset-every", t.ResetEvery, "0 (off) or more"),
		flags.Need(t.CloseEvery >= 0, "close-every", t.CloseEvery, "0 (off) or more"),
		flags.Need(t.CloseCode >= 1000 && t.CloseCode <= 4999, "close-code", t.CloseCode, "1000 to 4999"),
		flags.Need(len(t.CloseReason) <= 123, "close-reason", t.CloseReason, "123 bytes at most, as RFC 6455 has it"),
		t.SinkFail.validate("sink-fail"),
		flags.Need(t.SinkHang >= 0, "sink-hang", t.SinkHang, "0 (off) or more"),
	)
}

func (t *Trouble) validateKinds() error {
	problems := []error{flags.Need(len(t.MalformedKinds) > 0, "malformed-kinds", t.MalformedKinds, "at least one kind")}
	for _, name := range t.MalformedKinds {
		if _, err := ParseMalformation(name); err != nil {
			problems = append(problems, flags.Need(false, "malformed-kinds", name, err.Error()))
		}
	}
	return errors.Join(problems...)
}

// Malformations are the requested kinds; Validate has checked their names.
func (t *Trouble) Malformations() []Malformation {
	kinds := make([]Malformation, 0, len(t.MalformedKinds))
	for _, name := range t.MalformedKinds {
		if kind, err := ParseMalformation(name); err == nil {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// Calm reports that events depart as they happen, once, and alone.
func (t *Trouble) Calm() bool { return t.Jitter == 0 && t.Duplicates == 0 && t.Malformed == 0 }

// Stamp is the time the platform claims for what happened in a region.
func (t *Trouble) Stamp(region string, happened int64) int64 {
	if t.SkewRegion == "" || t.SkewRegion == region {
		return happened + int64(t.Skew)
	}
	return happened
}

// Bursts is how many bursts have been requested.
func (t *Trouble) Bursts() int { return t.bursts }

// TriggerBurst requests a burst, which begins with the next event.
func (t *Trouble) TriggerBurst() { t.bursts++ }

// TriggerCampaign requests a campaign, which begins with the next event.
func (t *Trouble) TriggerCampaign() { t.campaigns++ }

// Campaigns is how many campaigns have been requested.
func (t *Trouble) Campaigns() int { return t.campaigns }

// Silent reports whether a socket of this age sends nothing.
func (t *Trouble) Silent(age time.Duration) bool {
	if t.Silence {
		return true
	}
	return t.SilenceAfter > 0 && age >= t.SilenceAfter && (t.SilenceFor == 0 || age < t.SilenceAfter+t.SilenceFor)
}

// Subprotocol is that of the upgrade's response; empty: none.
func (t *Trouble) Subprotocol(offered string) string {
	switch t.AnswerSubprotocol {
	case AnswerSame:
		return offered
	case AnswerNone:
		return ""
	default:
		return t.AnswerSubprotocol
	}
}

// RegisterFlags binds every field to a flag whose default is the field's value.
// POST /trouble takes the same names through the same flags.
func (t *Trouble) RegisterFlags(set *flag.FlagSet) {
	set.DurationVar(&t.BurstEvery, "burst-every", t.BurstEvery, "drop connections in bulk this often; 0 never does")
	set.DurationVar(&t.BurstDuration, "burst-duration", t.BurstDuration, "time over which a burst's drops are spread")
	set.Float64Var(&t.BurstDropRate, "burst-drop-rate", t.BurstDropRate, "percent of the open connections that a burst drops")
	set.StringVar(&t.BurstTenant, "burst-tenant", t.BurstTenant, "tenant that bursts strike; empty: all")
	set.StringVar(&t.BurstRegion, "burst-region", t.BurstRegion, "region that bursts strike; empty: all")

	set.DurationVar(&t.CampaignEvery, "campaign-every", t.CampaignEvery, "let a tenant's traffic rise this often; 0 never does")
	set.DurationVar(&t.CampaignDuration, "campaign-duration", t.CampaignDuration, "time for which sessions come to a campaign")
	set.Float64Var(&t.CampaignFactor, "campaign-factor", t.CampaignFactor, "factor by which the tenant's sessions and messages rise")
	set.StringVar(&t.CampaignTenant, "campaign-tenant", t.CampaignTenant, "tenant whose traffic rises; empty: the first")

	set.Float64Var(&t.Malformed, "malformed", t.Malformed, "malformed frames or objects, as a share of events; they come on top")
	set.Var((*flags.List)(&t.MalformedKinds), "malformed-kinds", "kinds of malformed frames or objects")
	set.IntVar(&t.OversizedBytes, "oversized-bytes", t.OversizedBytes, "padding of a frame_too_large frame")
	set.Float64Var(&t.Duplicates, "duplicates", t.Duplicates, "share of events sent a second time")
	set.DurationVar(&t.Jitter, "jitter", t.Jitter, "hold each event back by up to this long, so that they arrive out of order")
	set.DurationVar(&t.Skew, "skew", t.Skew, "shift of the platform's clock; positive is ahead. That of all regions is in the header Date, too")
	set.StringVar(&t.SkewRegion, "skew-region", t.SkewRegion, "region whose clock is skewed; empty: all")

	set.StringVar(&t.AnswerSubprotocol, "answer-subprotocol", t.AnswerSubprotocol, "subprotocol the upgrade answers with: same, none or a literal one")
	set.Var((*flags.List)(&t.AnswerScopes), "answer-scopes", "scopes in the response to each token request; empty: those of --granted-scopes")
	set.StringVar(&t.Certificate, "certificate", t.Certificate, "certificate of new connections with --tls: "+strings.Join(certificates, ", "))
	set.Var(&t.TokenFail, "token-fail", "answer token requests with status[:times[:retry-after]]")
	set.Var(&t.PreflightFail, "preflight-fail", "answer pre-flights with status[:times[:retry-after]]")
	set.Var(&t.UpgradeFail, "upgrade-fail", "answer upgrades with status[:times[:retry-after]]")
	set.BoolVar(&t.RetryAfterDate, "retry-after-date", t.RetryAfterDate, "write Retry-After as a date, not as seconds")
	set.IntVar(&t.RateLimit, "rate-limit", t.RateLimit, "calls of the Notifications and queues API that a token may make in a minute, before 429; 0: any number")

	set.Var(&t.ChannelFail, "channel-fail", "answer requests for channels with status[:times[:retry-after]]")
	set.Var(&t.SubscriptionFail, "subscription-fail", "answer requests for subscriptions with status[:times[:retry-after]]")
	set.Var(&t.QueuesFail, "queues-fail", "answer requests for queues with status[:times[:retry-after]]")
	set.Var(&t.AnalyticsFail, "analytics-fail", "answer requests for open sessions and the history with status[:times[:retry-after]]")
	set.StringVar(&t.AnalyticsFailPath, "analytics-fail-path", t.AnalyticsFailPath, "how the path ends of the requests that --analytics-fail is about, as /details/query; empty: all")
	set.DurationVar(&t.AnalyticsLatency, "analytics-latency", t.AnalyticsLatency, "time after which an open or a close is in the history")
	set.IntVar(&t.AnalyticsTruncate, "analytics-truncate", t.AnalyticsTruncate, "open conversations that an answer lists of each group; 0: all")
	set.IntVar(&t.AnalyticsShift, "analytics-shift", t.AnalyticsShift, "rows by which the pages of the history shift between two requests")
	set.Var(&t.SelfCheckFail, "self-check-fail", "answer requests for the available topics and the client's permissions with status[:times[:retry-after]]")
	set.Var((*flags.List)(&t.MissingPermissions), "missing-permissions", "permissions that the client's role lacks, as routing:queue:view")
	set.Var(&t.ConfigurationFail, "configuration-fail", "answer requests for discovery documents with status[:times[:retry-after]]")
	set.Var(&t.ConnectionFail, "connection-fail", "answer requests for chat connections with status[:times[:retry-after]]")
	set.Var(&t.TopicReject, "topic-reject", "topics to reject: a share of all, or texts that they contain")
	set.DurationVar(&t.ChannelTTL, "channel-ttl", t.ChannelTTL, "lifetime of a Notifications channel since its last subscription")
	set.DurationVar(&t.SocketClosingEvery, "socket-closing-every", t.SocketClosingEvery, "announce to each Notifications socket at about this age that it will be closed; 0: never")
	set.DurationVar(&t.SocketClosingGrace, "socket-closing-grace", t.SocketClosingGrace, "time it has to move, before it is closed")
	set.BoolVar(&t.NoPong, "no-pong", t.NoPong, "leave pings and heartbeats in text frames unanswered")
	set.BoolVar(&t.RateLimited, "rate-limited", t.RateLimited, "answer event hub sockets with RATE_LIMIT_EXCEEDED")

	set.BoolVar(&t.Silence, "silence", t.Silence, "keep sockets open and send nothing, not even pongs")
	set.DurationVar(&t.SilenceAfter, "silence-after", t.SilenceAfter, "age at which a socket falls silent; 0: never")
	set.DurationVar(&t.SilenceFor, "silence-for", t.SilenceFor, "how long it stays silent; 0: for good")
	set.DurationVar(&t.ResetEvery, "reset-every", t.ResetEvery, "reset each socket without a close frame at about this age; 0: never")
	set.DurationVar(&t.CloseEvery, "close-every", t.CloseEvery, "close each socket with a close frame at about this age; 0: never")
	set.IntVar(&t.CloseCode, "close-code", t.CloseCode, "code of that close frame")
	set.StringVar(&t.CloseReason, "close-reason", t.CloseReason, "reason of that close frame")
	set.BoolVar(&t.CloseExpired, "close-expired", t.CloseExpired, "close each socket with code 1008 when its token expires")

	set.Var(&t.SinkFail, "sink-fail", "answer webhooks with status[:times[:retry-after]]")
	set.DurationVar(&t.SinkHang, "sink-hang", t.SinkHang, "answer webhooks only after this long")
	set.BoolVar(&t.SinkReset, "sink-reset", t.SinkReset, "reset the connection of a webhook once it is read, instead of an answer")
}
