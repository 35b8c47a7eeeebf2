// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/diagnosis"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/conversation"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/notifications"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

const genesysCloud = "genesys_cloud"

// NotificationsConfig configures the Notification Service of Genesys Cloud.
type NotificationsConfig struct {
	// Topics are the topics to subscribe to; none: those of all queues.
	Topics []string `mapstructure:"topics"`
	// RefreshInterval is the time between two requests for new queues.
	RefreshInterval time.Duration `mapstructure:"refresh_interval"`
}

func genesysRealtime() API {
	a := realtimeOf(genesysCloud, "v2.realtime-events")
	a.profile.domains = genesysDomains()
	return a
}

// genesysNotifications is the Notification Service. Its frames hold snapshots of
// conversations, which package conversation decodes.
type genesysNotifications struct{}

func (genesysNotifications) Profile() *Profile {
	return &Profile{
		Platform:        genesysCloud,
		API:             "notifications",
		Fields:          jsonevent.DefaultFields(),
		PayloadSize:     SizeOfEvent,
		Heartbeat:       wsclient.Heartbeat{Interval: 15 * time.Second, Timeout: 35 * time.Second},
		Backoff:         wsclient.Backoff{Initial: 2 * time.Second, Max: 90 * time.Second},
		OpenChannels:    true,
		UsedHeader:      "inin-ratelimit-count",
		AllowedHeader:   "inin-ratelimit-allowed",
		RedactByDefault: true,
		AbnormalReasons: abnormalReasons(),
		domains:         genesysDomains(),
	}
}

func (a genesysNotifications) Validate(c *Config) error {
	var err error
	if c.PayloadSize == SizeOfText {
		err = errors.New(`payload_size: "text": must be event, object or none with api: notifications, which sends no text`)
	}
	return errors.Join(rejectSession(a.Profile(), c), err)
}

func (a genesysNotifications) Endpoints(c *Config) (*Endpoints, error) {
	at, err := a.Profile().endpoints(c, "/")
	if err != nil {
		return nil, err
	}
	at.Socket = nil // a channel's
	return at.complete(c, a.Profile())
}

func (genesysNotifications) Protocol(c *Config) wsclient.Protocol {
	return wsclient.Protocol{
		KeepAlive: wsclient.KeepAlive{
			Send:     `{"message":"ping"}`,
			Expect:   wsclient.NewPattern(`{"topicName":"channel.metadata","eventBody":{"message":"pong"}}`),
			Interval: c.Heartbeat.Interval,
		},
		IdleTimeout: c.Heartbeat.Timeout,
		Controls: []wsclient.ControlFrame{
			{Match: wsclient.NewPattern(`{"topicName":"channel.metadata"}`), Action: wsclient.Ignore},
			{Match: wsclient.NewPattern(`{"topicName":"v2.system.socket_closing"}`), Action: wsclient.Rotate},
			{Match: wsclient.NewPattern(`{"result":"404"}`), Action: wsclient.Renew},
			{Match: wsclient.NewPattern(`{"result":404}`), Action: wsclient.Renew},
		},
	}
}

// Connect spreads the topics over channels, one for each session. One tracker has the
// state of all conversations.
func (genesysNotifications) Connect(c *Config, at *Endpoints, env *Environment) (*Upstream, error) {
	tokens := env.tokens(c, wsclient.StaticURL(at.Token))
	channels := notifications.New(notifications.Settings{
		Client: env.Client, API: at.API, Topics: c.Notifications.Topics, Channels: c.Connections,
		Overlap: c.Overlap, Check: at.Check,
		Rejected: func(topic, reason string, missing []string) {
			env.Logger.Warn("The platform rejects the subscription to a topic; its events are not received",
				zap.String("topic", wsclient.Truncate(topic)), zap.String("reason", wsclient.Truncate(reason)),
				zap.Strings("missing_permissions", wsclient.TruncateList(missing)))
		},
		LeftOut: func(topics int) {
			env.Logger.Error("There are more topics than the platform's channels hold; events of the others are not received",
				zap.Int("left_out", topics), zap.Int("channels", notifications.MaxCarrying), zap.Int("topics_per_channel", notifications.MaxTopics))
		},
	})
	var mutex sync.Mutex
	tracker := conversation.NewTracker(time.Now().Add(-time.Second)) // tolerates a small clock offset
	tracker.Observe = env.Observe
	past := genesysHistory{root: at.API, topics: channels.Names}
	return &Upstream{
		Sessions: channels.Sessions(), Tokens: tokens, Prepare: channels.Prepare, Idle: channels.Idle,
		History: past.history(), State: &lockedState{mutex: &mutex, state: tracker},
		NewDecode: func(*jsonevent.Decoder) Decode {
			return func(text []byte, at time.Time, to jsonevent.Sink) {
				mutex.Lock()
				defer mutex.Unlock()
				tracker.Decode(text, at, to)
			}
		},
		Quotas: func(now time.Time) []Quota { return quotasOf(channels, now) },
		Run: func(ctx context.Context) {
			channels.Watch(ctx, c.Notifications.RefreshInterval, tokens, func(failure *wsclient.Failure) {
				env.Logger.Warn("Cannot refresh the list of queues; the known queues stay subscribed", zap.Error(failure))
			})
		},
	}, observeTopics(env.Telemetry, channels)
}

// lockedState is a state whose owner holds a mutex.
type lockedState struct {
	mutex *sync.Mutex
	state State
}

func (l *lockedState) Encode(now time.Time) ([]byte, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.state.Encode(now)
}

func (l *lockedState) Restore(value []byte) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.state.Restore(value)
}

// Diagnose compares the topics with what the client may, and the channels with their limit.
func (a genesysNotifications) Diagnose(ctx context.Context, d *Diagnosis, up *Upstream) {
	if region, known := a.Profile().hosts(d.Config.Region); known && d.Config.Endpoint == "" {
		d.reach(ctx, &url.URL{Scheme: "https", Host: region.streaming})
	}
	if !d.reached[d.At.API.Host] {
		d.Report.Skipped("topics", "%s is not reached", d.At.API.Host)
		return
	}
	inspection := &notifications.Inspection{Client: d.Client, API: d.At.API, Token: d.access.Token}
	topics, sessions := d.Config.Notifications.Topics, up.Sessions
	if len(topics) == 0 {
		queues, ok := diagnoseQueues(ctx, inspection, d.Report)
		if !ok {
			return
		}
		topics = []string{notifications.QueueTopic("00000000-0000-0000-0000-000000000000")} // all are alike
		sessions = min(max(d.Config.Connections, (queues+notifications.MaxTopics-1)/notifications.MaxTopics), notifications.MaxCarrying, queues)
	}
	diagnoseTopics(ctx, inspection, topics, d.Report)
	diagnoseChannels(ctx, inspection, sessions, d.Report)
}

func diagnoseQueues(ctx context.Context, inspection *notifications.Inspection, report *diagnosis.Report) (queues int, ok bool) {
	queues, failure := inspection.Queues(ctx)
	switch most := notifications.MaxCarrying * notifications.MaxTopics; {
	case failure != nil && failure.Cause == wsclient.Unauthorized:
		report.Failed("queues", "%v; here: grant the OAuth client's role routing:queue:view, or set notifications::topics", failure)
	case failure != nil:
		report.Failed("queues", "%v", failure)
	case queues == 0:
		report.Failed("queues", "the OAuth client may see none; grant its role routing:queue:view in the divisions of the queues, or set notifications::topics")
	case queues > most:
		report.Failed("queues", "%d, more than the %d topics that the platform's channels hold; set notifications::topics, or use several OAuth clients", queues, most)
		return queues, true
	default:
		report.OK("queues", "%d", queues)
		return queues, true
	}
	return 0, false
}

// diagnoseTopics reports topics that do not exist, or that the client may not subscribe to.
func diagnoseTopics(ctx context.Context, inspection *notifications.Inspection, topics []string, report *diagnosis.Report) {
	granted, failure := inspection.Granted(ctx)
	if failure == nil {
		report.OK("permissions", "the OAuth client has %v", granted)
	} else {
		report.Skipped("permissions", "%v", failure)
	}
	rules, failure := inspection.TopicRules(ctx)
	if failure != nil {
		report.Skipped("topics", "%v", failure)
		return
	}
	verdict := notifications.Judge(topics, rules, granted)
	refused := wsclient.TruncateList(slices.Sorted(maps.Keys(verdict.Refused)))
	if len(verdict.Unknown) > 0 {
		report.Failed("topics", "the platform has no such topic: %s; correct notifications::topics", strings.Join(wsclient.TruncateList(verdict.Unknown), ", "))
	}
	if len(refused) > 0 {
		report.Failed("topics", "the OAuth client may not subscribe to %s; grant its role %s",
			strings.Join(refused, ", "), strings.Join(wsclient.TruncateList(verdict.Missing()), ", "))
	}
	if len(verdict.Unknown)+len(refused) == 0 {
		report.OK("topics", "each of %d may be subscribed to", len(topics))
	}
}

// diagnoseChannels compares the channels of the client with the platform's limit.
func diagnoseChannels(ctx context.Context, inspection *notifications.Inspection, needed int, report *diagnosis.Report) {
	used, failure := inspection.Channels(ctx)
	switch {
	case failure != nil:
		report.Skipped("channels", "%v", failure)
	case used+needed > notifications.MaxChannels:
		report.Failed("channels", "%d of %d are in use, and this configuration needs %d: the platform would close the ones of other readers. "+
			"Use an OAuth client for this receiver alone (if these are the channels of a collector that runs with this configuration, all is well)",
			used, notifications.MaxChannels, needed)
	default:
		report.OK("channels", "%d of %d are in use, and this configuration needs %d", used, notifications.MaxChannels, needed)
	}
}

// quotasOf returns the limits of channels and topics. A full channel is no trouble while
// there is room for another.
func quotasOf(channels *notifications.Channels, now time.Time) []Quota {
	used, topics, full := channels.Used(now)
	quotas := []Quota{
		{Name: "channels", Used: used, Advice: "a rotation needs a channel more, and the platform closes a channel beyond its limit; use fewer connections, or several OAuth clients"},
		{Name: "topics", Used: topics},
	}
	if full {
		quotas[1].Advice = "topics beyond the platform's channels are left out; set notifications::topics, or use several OAuth clients"
	}
	return quotas
}

func observeTopics(telemetry *metadata.TelemetryBuilder, channels *notifications.Channels) error {
	err := telemetry.RegisterCcaasWsTopicsCallback(func(_ context.Context, o metric.Int64Observer) error {
		all, _ := channels.Topics()
		o.Observe(int64(all))
		return nil
	})
	return errors.Join(err, telemetry.RegisterCcaasWsRejectedTopicsCallback(func(_ context.Context, o metric.Int64Observer) error {
		_, rejected := channels.Topics()
		o.Observe(int64(rejected))
		return nil
	}))
}

// genesysDomains returns the domains of Genesys Cloud by region, as in the platform's
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
