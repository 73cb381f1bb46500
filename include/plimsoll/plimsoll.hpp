// Umbrella header: everything a user of the library needs.
#pragma once

#include "plimsoll/backup.hpp"
#include "plimsoll/config.hpp"
#include "plimsoll/control.hpp"
#include "plimsoll/database.hpp"
#include "plimsoll/error.hpp"
#include "plimsoll/inspect.hpp"
#include "plimsoll/options.hpp"
#include "plimsoll/stats.hpp"
#include "plimsoll/text.hpp"
#include "plimsoll/transaction.hpp"
#include "plimsoll/types.hpp"
