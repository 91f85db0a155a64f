"""Every number that the engine's judgement rests on, in one place, each with its why.

They were set on the even seeds of the shipped scenarios; what the README reports was
measured on the odd ones.
"""

# -- the scale --------------------------------------------------------------------------------
#: An incident is opened at this score.
OPENS_AT = 60.0
#: Points for each factor of ten by which a thing is less likely for this sender than usual.
#: Four such factors, 1 in 10,000 days, make an alarm: reasons overlap, so that fewer would
#: alarm too often, and more would wait for evidence that a slow drip never gives.
DECADE = 18.0

# -- volume -----------------------------------------------------------------------------------
#: Points for each doubling over the most that is usual. A doubling is what people see as more.
DOUBLING = 15.0
#: Volume alone alarms at four doublings: sixteen times the most that was ever usual.
VOLUME_CAP = 65.0
#: As much as it has sent before, within half as much again: learnt bulk stays far from an alarm.
SEEN_BEFORE = 1.5
SEEN_BEFORE_CAP = 20.0
#: Many messages to very few people are a loop, not spam: nobody sends spam to three people.
FEW_PEOPLE = 5
FEW_PEOPLE_CAP = 30.0
#: Many messages nearly all to people it wrote to before are a mailing not yet learnt; only
#: with something else to it (alike as never before, refused, a new network) do they alarm.
ACQUAINTED, ACQUAINTED_CAP = 0.05, 45.0
#: Past this part of its bits the sketch of known recipients says too little for that.
SKETCH_FULL = 0.4
#: The windows, in seconds, with the most in each that surprises of nobody. They bound the
#: habit from below, as somebody who never wrote at this hour may well write ten letters now.
WINDOWS = ((300, 7.0), (3600, 7.0), (4 * 3600, 14.0), (24 * 3600, 35.0))
#: The same for a sender with no history yet: a new colleague's first day is a busy one.
NEW_WINDOWS = ((300, 10.0), (3600, 25.0), (4 * 3600, 50.0), (24 * 3600, 80.0))
#: Days on which a sender was active before its habit counts as one.
SETTLED_DAYS = 3
#: Shapes of the negative binomial for letters in five minutes, an hour, four and a day: people
#: write in clumps, the more so the shorter the window. Measured on tuning seeds, rounded.
SHAPES = {300: 0.25, 3600: 0.8, 4 * 3600: 1.5, 24 * 3600: 4.0}
#: The band's upper edge in standard deviations over the mean; with such skewed counts about
#: one hour in a hundred is over it.
BAND = 3.0
#: Weekly forgetting of the hour-of-week habit: half is forgotten in three active weeks.
WEEK_KEEPS = 0.8
#: How many weeks of its own an hour-of-week needs to count as much as the same hour of the
#: other days of its kind (working days, week-ends).
HOUR_PRIOR_WEEKS = 2.0

# -- slow change ------------------------------------------------------------------------------
#: The cumulative sum tests for three times the habit and one more an hour; one hour adds at
#: most one nat and an empty one takes one off, so that it takes more than a working day of
#: them and never one busy hour.
CUSUM_TIMES, CUSUM_MORE, CUSUM_LEAST, CUSUM_STEP = 3.0, 1.0, 0.3, 1.0
#: Points a nat, and the most; under these nats it says nothing.
CUSUM_POINTS, CUSUM_CAP, CUSUM_FROM = 2.5, 40.0, 6.0

# -- networks ---------------------------------------------------------------------------------
#: A network is known once it was used on this many earlier days: one try of a stolen password
#: must not make the thief's network known.
KNOWN_AFTER_DAYS = 2
NETWORK_CAP = 45.0
#: Networks come in company (hotel, train, telephone): the shape of their negative binomial.
NETWORK_SHAPE = 0.5
#: Days of everybody's habit that a sender's own is mixed with.
PRIOR_DAYS = 10.0
#: So many letters show as much as one more day.
LETTERS_A_DAY = 100.0
#: Everybody's habit before there is one: one day in fifteen has a new network.
YOUNG_A_DAY = 1 / 15
#: For a sender without history only so many networks at once say anything.
MANY_NETWORKS = 3
#: Networks over the first that anybody may be expected to use within an hour, and a day.
SPARE_NETWORKS, SPARE_NETWORKS_A_DAY = 0.3, 1.5
#: Bounds of a rate learnt from everybody, as factors of the one before there is any.
POPULATION_BOUND = 4.0

# -- countries and network owners, where a local database says them --------------------------------
#: How often a network new to a sender is in a country new to it, or of a new owner, before its
#: own networks say otherwise; and how often an attacker's is. Half of what that says is counted,
#: as the new network itself is counted already.
ABROAD, ATTACK_ABROAD = 0.1, 0.8
OWNER_NEW, ATTACK_OWNER_NEW = 0.5, 0.9
#: Networks of everybody's that a sender's own are mixed with.
PRIOR_PLACES = 10.0
ABROAD_CAP, OWNER_CAP = 30.0, 10.0
#: A new network of an owner that is known, as on a telephone's every other day.
OWNER_FLOOR = -6.0

# -- repetition -------------------------------------------------------------------------------
REPETITION_CAP = 30.0
#: From this many near-identical letters it counts, and with the second number fully.
ALIKE_FROM, ALIKE_FULL = 3, 8
#: So large a part of the letters must be alike for it to count fully.
ALIKE_SHARE = 0.7
#: Everybody's habit before there is one: one day in fifty has a run of alike letters.
RUNS_A_DAY = 1 / 50

# -- recipients -------------------------------------------------------------------------------
#: How often a letter of anybody goes to people it never wrote to, before that is known.
STRANGERS = 0.25
#: How often spam does; what the sketch of known recipients falsely knows is taken off.
SPAM_STRANGERS = 0.97
PRIOR_LETTERS = 60.0
RECIPIENTS_CAP, RECIPIENTS_FLOOR = 20.0, -10.0
#: In so many letters strangers are no accident any more, for a sender with a history.
RECIPIENTS_MANY, RECIPIENTS_MANY_CAP = 20, 30.0

#: So many recipients a letter are more than people write to, and what that adds. Few letters
#: that go to as many times more recipients than the floor of messages are not few.
FAN_OUT, FAN_OUT_POINTS = 10.0, 8.0

# -- outcomes ---------------------------------------------------------------------------------
#: Refused or put off by the other side: of anybody's letters, and of spam at least.
REFUSED, SPAM_REFUSED = 0.02, 0.15
#: A sender's own rate is mixed with everybody's, worth this many letters.
PRIOR_OUTCOMES = 150.0
#: Letters younger than this, in seconds, have no outcome yet, so that none is no good sign.
OUTCOME_AFTER = 120.0
OUTCOME_CAP, OUTCOME_FLOOR = 30.0, -10.0
#: One refusal is a typing mistake; from so many on they count fully.
OUTCOMES_FULL, OUTCOME_FEW_CAP = 3, 10.0

# -- logins and company -----------------------------------------------------------------------
LOGIN_CAP = 15.0
#: Everybody's passwords are tried now and then; so many failures in a day say nothing.
FAILURES_USUAL = 5.0
#: Other accounts new to the same network that send the same: points for the first, for each
#: doubling, and the most.
COMPANY_FIRST, COMPANY_DOUBLING, COMPANY_CAP = 15.0, 8.0, 30.0
COMPANY_SENDERS, COMPANY_ALIKE = 3, 6

# -- learning ---------------------------------------------------------------------------------
#: What is kept of a sender's rates with each active day: half is forgotten in 35.
DAY_KEEPS = 0.98
#: A record (the most ever in a window) is remembered for so many days: a quarter and a bit.
RECORD_DAYS = 100
RECORDS = 3

# -- bounds -----------------------------------------------------------------------------------
#: The newest letters kept of a sender; shares (alike, new networks) are of these.
LETTERS = 64
NETWORKS = 96
#: Known recipients are a bitmap of so many bits at first, doubled when a quarter is set, up to
#: the most: then each new recipient is taken for a known one as often as the set part of it.
FIRST_BITS, MOST_BITS = 1024, 65536
RECIPIENTS_READ = 32  # of one letter
#: Event ids remembered, in two generations.
IDS = 50_000
#: Seconds that the mail server's clock may be ahead of ours before its time is not believed.
AHEAD = 300.0
#: A sender in the middle of a burst is looked at again after so many seconds or a quarter more.
LOOK_AGAIN = 5.0
#: Letters of forgotten newcomers are counted in a count-min sketch, a fresh one each day. Its
#: count of a name is never too low, and in 99 of 100 cases too high by no more than this part
#: of all letters in it: 1 up to 50,000, 20 of a million, which is half of what alarms at the
#: least. That much is taken off. No name has many letters in it, as from the second sure one on
#: it is kept itself; so the counts collide evenly, and 99 of 100 is far more in truth.
FORGOTTEN_ERROR, FORGOTTEN_CONFIDENCE = 1 / 50_000, 0.99
