// The code of Boost.URL: no library of it is linked.
#include <boost/url/src.hpp>
