// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"errors"
	"net/http"
	"slices"
	"time"
)

// Trouble is everything that can go wrong on request. It can be changed while the
// simulator runs; the flags of the same names explain each field.
type Trouble struct {
	BurstEvery    time.Duration
	BurstDuration time.Duration
	BurstDropRate float64
	BurstTenant   string
	BurstRegion   string
	bursts        int // asked for by Server.Burst

	CampaignEvery    time.Duration
	CampaignDuration time.Duration
	CampaignFactor   float64
	CampaignTenant   string
	campaigns        int // asked for by Server.Campaign

	Malformed      float64
	MalformedKinds []string
	OversizedBytes int
	Duplicates     float64
	Jitter         time.Duration
	Skew           time.Duration
	SkewRegion     string

	AnswerSubprotocol string
	TokenFail         Failure
	PreflightFail     Failure
	UpgradeFail       Failure
	RetryAfterDate    bool
	RateLimit         int

	ChannelFail        Failure
	SubscriptionFail   Failure
	QueuesFail         Failure
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

// Answers to the subprotocol asked for, other than a literal one.
const (
	AnswerSame = "same"
	AnswerNone = "none"
)

// DefaultTrouble is none, with the details that trouble has once it is wanted.
func DefaultTrouble() Trouble {
	return Trouble{
		BurstDuration:      20 * time.Second,
		BurstDropRate:      30,
		CampaignDuration:   2 * time.Minute,
		CampaignFactor:     3,
		MalformedKinds:     MalformedKinds(),
		OversizedBytes:     1<<20 + 1,
		AnswerSubprotocol:  AnswerSame,
		ChannelTTL:         24 * time.Hour,
		SocketClosingGrace: time.Minute,
		CloseCode:          1001,
		CloseReason:        "maintenance",
	}
}

// Validate says everything that is wrong with the trouble, by flag.
func (t *Trouble) Validate() error {
	return errors.Join(
		need(t.BurstEvery >= 0, "burst-every", t.BurstEvery, "0 (off) or more"),
		need(t.BurstDuration > 0, "burst-duration", t.BurstDuration, "more than 0"),
		need(t.BurstEvery == 0 || t.BurstDuration <= t.BurstEvery, "burst-duration", t.BurstDuration, "no more than --burst-every"),
		percent("burst-drop-rate", t.BurstDropRate),
		need(t.CampaignEvery >= 0, "campaign-every", t.CampaignEvery, "0 (off) or more"),
		need(t.CampaignDuration > 0, "campaign-duration", t.CampaignDuration, "more than 0"),
		need(t.CampaignEvery == 0 || t.CampaignDuration < t.CampaignEvery, "campaign-duration", t.CampaignDuration, "less than --campaign-every"),
		need(t.CampaignFactor >= 1 && t.CampaignFactor <= 100, "campaign-factor", t.CampaignFactor, "1 to 100"),
		share("malformed", t.Malformed),
		t.validateKinds(),
		need(t.OversizedBytes > 0 && t.OversizedBytes <= 64<<20, "oversized-bytes", t.OversizedBytes, "1 to 64 MiB"),
		share("duplicates", t.Duplicates),
		need(t.Jitter >= 0 && t.Jitter <= time.Minute, "jitter", t.Jitter, "0 to 1m"),
		need(t.AnswerSubprotocol != "", "answer-subprotocol", t.AnswerSubprotocol, "same, none or a subprotocol"),
		t.TokenFail.validate("token-fail"),
		t.PreflightFail.validate("preflight-fail"),
		t.UpgradeFail.validate("upgrade-fail"),
		need(t.RateLimit >= 0, "rate-limit", t.RateLimit, "0 (off) or more calls in a minute"),
		t.ChannelFail.validate("channel-fail"),
		t.SubscriptionFail.validate("subscription-fail"),
		t.QueuesFail.validate("queues-fail"),
		t.ConfigurationFail.validate("configuration-fail"),
		t.ConnectionFail.validate("connection-fail"),
		share("topic-reject", t.TopicReject.Share),
		need(!slices.Contains(t.TopicReject.Texts, ""), "topic-reject", t.TopicReject, "a share, or texts of which none is empty"),
		need(t.ChannelTTL > 0, "channel-ttl", t.ChannelTTL, "more than 0"),
		need(t.SocketClosingEvery >= 0, "socket-closing-every", t.SocketClosingEvery, "0 (off) or more"),
		need(t.SocketClosingGrace > 0, "socket-closing-grace", t.SocketClosingGrace, "more than 0"),
		need(t.SilenceAfter >= 0, "silence-after", t.SilenceAfter, "0 (off) or more"),
		need(t.SilenceFor >= 0, "silence-for", t.SilenceFor, "0 (for good) or more"),
		need(t.ResetEvery >= 0, "reset-every", t.ResetEvery, "0 (off) or more"),
		need(t.CloseEvery >= 0, "close-every", t.CloseEvery, "0 (off) or more"),
		need(t.CloseCode >= 1000 && t.CloseCode <= 4999, "close-code", t.CloseCode, "1000 to 4999"),
		need(len(t.CloseReason) <= 123, "close-reason", t.CloseReason, "123 bytes at most, as RFC 6455 has it"),
		t.SinkFail.validate("sink-fail"),
		need(t.SinkHang >= 0, "sink-hang", t.SinkHang, "0 (off) or more"),
	)
}

func (t *Trouble) validateKinds() error {
	problems := []error{need(len(t.MalformedKinds) > 0, "malformed-kinds", t.MalformedKinds, "at least one kind")}
	for _, name := range t.MalformedKinds {
		if _, err := parseMalformation(name); err != nil {
			problems = append(problems, need(false, "malformed-kinds", name, err.Error()))
		}
	}
	return errors.Join(problems...)
}

// malformations are the kinds asked for; Validate has seen their names.
func (t *Trouble) malformations() []malformation {
	kinds := make([]malformation, 0, len(t.MalformedKinds))
	for _, name := range t.MalformedKinds {
		if kind, err := parseMalformation(name); err == nil {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// calm tells that events depart as they happen, once, and alone.
func (t *Trouble) calm() bool { return t.Jitter == 0 && t.Duplicates == 0 && t.Malformed == 0 }

// stamp is the time the platform claims for what happened in a region.
func (t *Trouble) stamp(region string, happened int64) int64 {
	if t.SkewRegion == "" || t.SkewRegion == region {
		return happened + int64(t.Skew)
	}
	return happened
}

func (t *Trouble) burst() burstPlan {
	return burstPlan{
		every:    t.BurstEvery,
		duration: t.BurstDuration,
		share:    t.BurstDropRate / 100,
		tenant:   t.BurstTenant,
		region:   t.BurstRegion,
		asked:    t.bursts,
	}
}

func (t *Trouble) campaign() campaignPlan {
	return campaignPlan{
		every:    t.CampaignEvery,
		duration: t.CampaignDuration,
		factor:   t.CampaignFactor,
		tenant:   t.CampaignTenant,
		asked:    t.campaigns,
	}
}

// silent tells whether a socket of an age is dead to its client.
func (t *Trouble) silent(age time.Duration) bool {
	if t.Silence {
		return true
	}
	return t.SilenceAfter > 0 && age >= t.SilenceAfter && (t.SilenceFor == 0 || age < t.SilenceAfter+t.SilenceFor)
}

// answer is the subprotocol to answer with; empty for none.
func (t *Trouble) answer(asked string) string {
	switch t.AnswerSubprotocol {
	case AnswerSame:
		return asked
	case AnswerNone:
		return ""
	default:
		return t.AnswerSubprotocol
	}
}

// Failure is an HTTP status in place of an answer: the next Times requests, or
// all of them. The zero Failure is none.
type Failure struct {
	Status     int
	Times      int           // 0: every time
	RetryAfter time.Duration // 0: no such header
}

func (f Failure) validate(flag string) error {
	if f == (Failure{}) {
		return nil
	}
	return errors.Join(
		need(f.Status >= 300 && http.StatusText(f.Status) != "", flag, f, "an HTTP status from 300 on"),
		need(f.Times >= 0, flag, f, "a count of 0 (always) or more"),
		need(f.RetryAfter >= 0, flag, f, "a retry-after of 0 or more"),
	)
}
